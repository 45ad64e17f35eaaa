"""The graph reader: a feature plan as ONNX nodes, and the builder that training uses for a model's own nodes.

How rows are fed: one tensor per feature, shape (N, 1), named after its column (``<struct>_<field>`` for a field):

- numbers: DOUBLE; NULL is NaN
- strings, and bytes as base64: STRING; NULL is `values.NULL_TEXT` (the empty string is a category)
- booleans (0, 1), dates (days since 1970), times, datetimes and timestamps (microseconds): INT64; NULL is the smallest
- arrays of numbers: DOUBLE, shape (N, length); missing is NaN
- arrays of strings: STRING, shape (N, any), padded with `values.NULL_TEXT`
- arrays of STRUCT<index, value>: ``<name>.index`` INT64 padded with -1, and ``<name>.value`` DOUBLE

`feed` and `feed_row` make these tensors from a batch or a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.features.plan import Feature, Vector, encoding_width

if TYPE_CHECKING:
    from onnx import NodeProto

OPSET = 18
ML_OPSET = 3
IR_VERSION = 8
# Operators that came later, and the opset and format they came with: only a graph that has one asks for them.
_LATER = frozenset({"StringConcat", "RegexFullMatch"})
_LATER_OPSET, _LATER_IR_VERSION = 20, 9


class Builder:
    """Collects nodes and constants of one graph; tensors are named in the order they are made.

    Equal input gives equal bytes. Nodes are made inside the graph, since a forest's one node is most of the file and
    every copy of it counts.
    """

    def __init__(self) -> None:
        import onnx

        self._model = onnx.ModelProto()
        self._graph = self._model.graph
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._names: set[str] = set()
        self._count = 0
        self._later = False

    def fresh(self) -> str:
        """A tensor name that is not taken."""
        self._count += 1
        return f"tidemill/{self._count}"

    def input(self, name: str, dtype: str, shape: Sequence[int | None]) -> str:
        """Declare a graph input; ``dtype`` is double, float, int64 or string; None in ``shape`` is free."""
        from onnx import helper

        if name in self._names:
            raise ValueError(f"two graph inputs are named {name}")
        self._names.add(name)
        sizes = ["rows" if i == 0 and size is None else size for i, size in enumerate(shape)]
        self._graph.input.append(helper.make_tensor_value_info(name, _element(dtype), sizes))
        return name

    def constant(self, value: Any, dtype: str = "") -> str:
        """A constant tensor: numpy data, a number or a list of strings; equal ones are kept once."""
        from onnx import helper, numpy_helper

        if isinstance(value, list | tuple) and value and isinstance(value[0], str):
            data = [text.encode() for text in value]
            key = ("string", (len(data),), b"\0".join(data))
            if key not in self._constants:
                self._constants[key] = self.fresh()
                made = helper.make_tensor(self._constants[key], _element("string"), [len(data)], data)
                self._graph.initializer.append(made)
            return self._constants[key]
        array = np.ascontiguousarray(value, dtype=dtype or None).reshape(np.shape(value))
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.fresh()
            self._graph.initializer.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Append a node with one output; returns the output's name."""
        return self.nodes(operator, *inputs, outputs=1, domain=domain, **attributes)[0]

    def nodes(
        self, operator: str, *inputs: str, outputs: int, domain: str = "", names: Sequence[str] = (), **attributes: Any
    ) -> list[str]:
        """Append a node with several outputs (named ``names`` when given); returns their names."""
        self._later = self._later or operator in _LATER
        made = list(names) or [self.fresh() for _ in range(outputs)]
        node = self._graph.node.add(op_type=operator, domain=domain, input=inputs, output=made)
        for name, value in sorted(attributes.items()):
            _set_attribute(node, name, value)
        return made

    def cast(self, tensor: str, dtype: str) -> str:
        """Cast to double, float, int64, bool or string."""
        return self.node("Cast", tensor, to=_element(dtype))

    def join(self, tensors: Sequence[str]) -> str:
        """Put matrices side by side."""
        return tensors[0] if len(tensors) == 1 else self.node("Concat", *tensors, axis=1)

    def model(self, outputs: Sequence[tuple[str, str, str, Sequence[int | None]]], *, doc: str = "") -> bytes:
        """The finished graph, checked; ``outputs`` are (tensor, name, dtype, shape). The builder is empty after it."""
        import onnx
        from onnx import helper

        for tensor, name, dtype, shape in outputs:
            self.nodes("Identity", tensor, outputs=1, names=[name])
            sizes = ["rows" if i == 0 and size is None else size for i, size in enumerate(shape)]
            self._graph.output.append(helper.make_tensor_value_info(name, _element(dtype), sizes))
        self._graph.name = "tidemill"
        opset = _LATER_OPSET if self._later else OPSET
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        self._model.opset_import.extend(opsets)
        self._model.producer_name, self._model.doc_string = "tidemill", doc
        self._model.ir_version = _LATER_IR_VERSION if self._later else IR_VERSION
        data: bytes = self._model.SerializeToString(deterministic=True)
        self._model = onnx.ModelProto()
        self._graph = self._model.graph
        onnx.checker.check_model(data)
        return data


def _set_attribute(node: NodeProto, name: str, value: Any) -> None:
    """Add an attribute; arrays go in as they are, without the checks of each element."""
    from onnx import AttributeProto, helper

    if not isinstance(value, np.ndarray):
        node.attribute.append(helper.make_attribute(name, value))
    elif value.dtype.kind == "f":
        node.attribute.add(name=name, type=AttributeProto.FLOATS, floats=value.tolist())
    else:
        node.attribute.add(name=name, type=AttributeProto.INTS, ints=value.tolist())


def _element(dtype: str) -> int:
    from onnx import TensorProto

    names: Mapping[str, int] = {
        "double": TensorProto.DOUBLE,
        "float": TensorProto.FLOAT,
        "int64": TensorProto.INT64,
        "bool": TensorProto.BOOL,
        "string": TensorProto.STRING,
    }
    return int(names[dtype])


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphInput:
    """One value that a graph is fed: a column (or a STRUCT's field) of a kind; ``size`` is a vector's length."""

    name: str
    column: str
    kind: str
    field: str = ""
    size: int = 1


def declare(builder: Builder, given: GraphInput) -> str:
    """Add a graph input for a value; for a sparse array the name of its indexes (``.value`` stands beside it)."""
    match given.kind:
        case "number":
            return builder.input(given.name, "double", (None, 1))
        case "text" | "bytes":
            return builder.input(given.name, "string", (None, 1))
        case "vector":
            return builder.input(given.name, "double", (None, given.size or None))
        case "texts":
            return builder.input(given.name, "string", (None, None))
        case "sparse":
            builder.input(f"{given.name}.value", "double", (None, None))
            return builder.input(f"{given.name}.index", "int64", (None, None))
        case _:
            return builder.input(given.name, "int64", (None, 1))


def graph_input(feature: Feature, *, name: str, column: str, field: str) -> GraphInput:
    """A graph input for a feature's value, read from a column (and a STRUCT's field)."""
    size = encoding_width(feature.encoding) if isinstance(feature.encoding, Vector) else 1
    return GraphInput(name=name, column=column, field=field, kind=feature.kind, size=size)
