"""Opens a graph: looks at its bytes first, then hands it to onnxruntime with one thread and nothing that spins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tidemill.core.errors import CorruptError
from tidemill.features.onnx_feed import Feed

#: A larger graph is no model of ours: trees at BigQuery ML's limits stay far below.
MOST_BYTES = 512 << 20

_DOMAINS = frozenset({b"", b"ai.onnx", b"ai.onnx.ml"})

# Field numbers of onnx.proto3, and where graphs and tensors hide inside other messages.
_GRAPH, _OPSETS, _FUNCTIONS = 7, 8, 25
_NODES, _INITIALIZERS, _SPARSE = 1, 5, 15
_NODE_ATTRIBUTES, _NODE_DOMAIN = 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = (5, 10), (6, 11)
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14

Run = Callable[[Feed], list[Any]]


def check_graph(data: bytes, *, name: str) -> None:
    """Refuse a graph that reads other files, brings its own operators, or is absurdly large.

    The wire format is walked here: the onnx package would cost 30 MB and is not on a server.

    Raises
    ------
    CorruptError
        It is none of ours.

    References
    ----------
    .. [1] https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
    .. [2] https://protobuf.dev/programming-guides/encoding/
    """
    if len(data) > MOST_BYTES:
        raise _refused(name, f"it has {len(data) >> 20} MiB, and at most {MOST_BYTES >> 20} are taken")
    try:
        for number, value in _fields(memoryview(data)):
            if number == _FUNCTIONS:
                raise _refused(name, "it brings functions of its own")
            if number == _OPSETS:
                _check_domains(value, 1, name)
            elif number == _GRAPH:
                _check_part(value, name)
    except (IndexError, TypeError):
        raise _refused(name, "it is no ONNX model") from None


def open_graph(data: bytes, *, outputs: Sequence[str], name: str) -> Run:
    """A function from tensors to the outputs named.

    Raises
    ------
    CorruptError
        onnxruntime cannot read the graph.
    """
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A worker answers one request at a time: memory that an arena keeps is memory of the largest request ever seen.
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf) as error:
        raise _refused(name, str(error)) from error
    wanted = list(outputs)
    # The wrapper checks names and catches errors of other providers for 5 us a call; the session under it does not.
    bare = getattr(getattr(session, "_sess", None), "run", None)
    if bare is None:
        return lambda feed: list(session.run(wanted, feed))
    return lambda feed: bare(wanted, feed, None)


def _check_domains(message: Any, field: int, name: str) -> None:
    for number, value in _fields(message):
        if number == field and bytes(value) not in _DOMAINS:
            raise _refused(name, f"it uses operators of {bytes(value)[:80].decode(errors='replace')}")


def _check_part(graph: Any, name: str) -> None:
    for number, value in _fields(graph):
        if number == _SPARSE:
            raise _refused(name, "it has sparse tensors")
        if number == _INITIALIZERS:
            _check_tensor(value, name)
        elif number == _NODES:
            _check_node(value, name)


def _check_node(node: Any, name: str) -> None:
    _check_domains(node, _NODE_DOMAIN, name)
    for number, attribute in _fields(node):
        if number != _NODE_ATTRIBUTES:
            continue
        for inner, value in _fields(attribute):
            if inner in _ATTRIBUTE_TENSORS and isinstance(value, memoryview):
                _check_tensor(value, name)
            elif inner in _ATTRIBUTE_GRAPHS and isinstance(value, memoryview):
                _check_part(value, name)


def _check_tensor(tensor: Any, name: str) -> None:
    for number, value in _fields(tensor):
        if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value == 1):
            raise _refused(name, "it keeps tensors in other files")


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Field numbers and values of a message: a number, or the bytes of a part."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif kind == 2:
            size, at = _varint(data, at)
            if at + size > end:
                raise IndexError
            yield key >> 3, data[at : at + size]
            at += size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise TypeError


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _refused(name: str, why: str) -> CorruptError:
    return CorruptError(f"the graph of model {name} is refused: {why[:300]}", hint="train the model again")
