"""The feature plan: how rows become a matrix of numbers, as plain data.

A plan is made in two steps. `learn.draft_plan` fixes the columns and categories (exact counts by SQL); then the rows
are loaded once with the draft, and `learn.settle` learns means and deviations from the loaded matrix. Three readers
encode rows with a settled plan and must agree: `encode` (Arrow batches), `row` (one row), `onnx_builder` (a graph).

Numbers that are not finite (NaN, infinities) are missing, like NULL; finite numbers are held inside float32's range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

Kind = Literal["number", "text", "bool", "date", "time", "datetime", "bytes", "timestamp", "vector", "texts", "sparse"]
Style = Literal["linear", "tree"]

#: Largest finite float32: numbers are held inside it, so that a tree (float32) and a graph never see an infinity.
LARGEST = 3.4028234663852886e38

#: The parts of a TIMESTAMP, in the order of their encoded columns. Weeks start on Sunday.
PARTS = ("DOM", "DOW", "MOY", "HOD", "MOH", "WOY", "YEAR")

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One column. Missing becomes ``mean``; with a ``deviation`` the number is centred and scaled.

    Both are None in a draft: numbers stay as they are, and missing ones are NaN in the loaded matrix. A settled plan
    of a tree has a mean and no deviation.
    """

    mean: float | None = None
    deviation: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One column: 1..k by alphabetical vocabulary; 0 for NULL and for unknown values."""

    vocabulary: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneHot:
    """A column per category, in the order of the vocabulary, and one for NULL at the end when ``null``.

    ``dropped`` is the ordinal of the category that has no column (DUMMY_ENCODING); the NULL category's ordinal is
    ``len(vocabulary)``. A category that was not seen in training is all zeros.
    """

    vocabulary: tuple[str, ...]
    null: bool = False
    dropped: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The mean of the label per category, shrunk towards the overall mean; ``outputs`` columns.

    ``values`` holds a row of ``outputs`` numbers for unknown values (first), then per category, then for NULL (last);
    None in a draft. A regression or binary label has one output, a label of k > 2 classes has k.
    """

    vocabulary: tuple[str, ...]
    outputs: int = 1
    values: tuple[tuple[float, ...], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """A TIMESTAMP: seconds since 1970 as a `Number`, and its parts.

    ``parts`` has the values seen per part of `PARTS`, each one-hot (linear models); when it is None the seven parts
    are plain numbers, and -1 when the value is NULL (trees).
    """

    seconds: Number = Number()
    parts: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """An ARRAY of numbers of one length, untouched; missing numbers and missing arrays are zeros."""

    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiHot:
    """An ARRAY of categories: 1 for each category present. NULL and unknown members count for nothing."""

    vocabulary: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparse:
    """ARRAY<STRUCT<index, value>>: ``value`` at each zero-based ``index`` below ``length``; repeated indexes add up."""

    length: int


Encoding = Number | Label | OneHot | Target | Instant | Vector | MultiHot | Sparse
_ENCODINGS: tuple[type[Encoding], ...] = (Number, Label, OneHot, Target, Instant, Vector, MultiHot, Sparse)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputColumn:
    """A column that prediction needs, with its Arrow type as text."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenColumn:
    """A column of TRANSFORM with its statistics put in as constants: scalar SQL over the raw columns (DuckDB)."""

    name: str
    sql: str
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature: the column (and the field, for a STRUCT's) it is read from, what it holds, how it is encoded."""

    name: str
    column: str
    kind: Kind
    encoding: Encoding
    field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePlan:
    """Everything serving must know to encode a row as training did.

    Parameters
    ----------
    style
        ``linear``: the matrix is float64, numbers are standardised. ``tree``: float32, numbers as they are.
    inputs
        The raw columns a prediction needs.
    transforms
        The frozen TRANSFORM columns; empty when there is no TRANSFORM, and then features are read from ``inputs``.
    features
        In the order of their encoded columns. Their columns are TRANSFORM's when there is one.
    """

    style: Style
    inputs: tuple[InputColumn, ...]
    features: tuple[Feature, ...]
    transforms: tuple[FrozenColumn, ...] = ()

    @property
    def width(self) -> int:
        """How many encoded columns there are."""
        return sum(encoding_width(feature.encoding) for feature in self.features)

    @property
    def dtype(self) -> str:
        """The matrix's numpy dtype."""
        return "float64" if self.style == "linear" else "float32"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedColumn:
    """What one column of the matrix stands for.

    ``feature`` is the ordinal in `FeaturePlan.features`. ``category`` is the category of a one-hot column (None: the
    NULL category when ``null``, else not categorical). ``part`` is a TIMESTAMP's part; ``position`` a vector's index.
    """

    name: str
    feature: int
    category: str | None = None
    null: bool = False
    part: str = ""
    position: int | None = None


def encoding_width(encoding: Encoding) -> int:
    """How many columns an encoding fills."""
    match encoding:
        case OneHot():
            return len(encoding.vocabulary) + encoding.null - (encoding.dropped is not None)
        case Target():
            return encoding.outputs
        case Instant(parts=None):
            return 1 + len(PARTS)
        case Instant(parts=parts):
            return 1 + sum(len(values) for values in parts or ())
        case Vector() | Sparse():
            return encoding.length
        case MultiHot():
            return len(encoding.vocabulary)
        case _:
            return 1


def encoded_columns(plan: FeaturePlan) -> list[EncodedColumn]:
    """The matrix's columns in order, each with the feature and category it stands for."""
    return [column for ordinal, feature in enumerate(plan.features) for column in _columns_of(feature, ordinal)]


def _columns_of(feature: Feature, ordinal: int) -> list[EncodedColumn]:
    name, encoding = feature.name, feature.encoding
    if isinstance(encoding, OneHot | MultiHot):
        columns = [
            EncodedColumn(name=f"{name}_{value}", feature=ordinal, category=value) for value in encoding.vocabulary
        ]
        if isinstance(encoding, OneHot):
            if encoding.null:
                columns.append(EncodedColumn(name=f"{name}__null_filler", feature=ordinal, null=True))
            if encoding.dropped is not None:
                del columns[encoding.dropped]
        return columns
    if isinstance(encoding, Vector | Sparse):
        return [EncodedColumn(name=f"{name}_{i}", feature=ordinal, position=i) for i in range(encoding.length)]
    if isinstance(encoding, Target) and encoding.outputs > 1:
        return [EncodedColumn(name=f"{name}_{i}", feature=ordinal, position=i) for i in range(encoding.outputs)]
    if not isinstance(encoding, Instant):
        return [EncodedColumn(name=name, feature=ordinal)]
    columns = [EncodedColumn(name=name, feature=ordinal)]
    for number, part in enumerate(PARTS):
        if encoding.parts is None:
            columns.append(EncodedColumn(name=f"_TS_{part}_{name}", feature=ordinal, part=part))
            continue
        columns += [
            EncodedColumn(name=f"_TS_{part}_{name}_{value}", feature=ordinal, part=part, category=str(value))
            for value in encoding.parts[number]
        ]
    return columns


def cardinality(plan: FeaturePlan) -> int:
    """Total feature cardinality as BigQuery ML counts it: the encoded columns of one-hot features, one per number."""
    return plan.width


def plan_to_dict(plan: FeaturePlan) -> dict[str, Any]:
    """The plan as plain JSON data."""
    return {
        "format": FORMAT,
        "style": plan.style,
        "inputs": [{"name": column.name, "type": column.type} for column in plan.inputs],
        "transforms": [{"name": c.name, "sql": c.sql, "type": c.type} for c in plan.transforms],
        "features": [
            {
                "name": feature.name,
                "column": feature.column,
                "field": feature.field,
                "kind": feature.kind,
                "encoding": _encoding_to_dict(feature.encoding),
            }
            for feature in plan.features
        ],
    }


def plan_from_dict(data: Mapping[str, Any]) -> FeaturePlan:
    """Read back what `plan_to_dict` made.

    Raises
    ------
    ValueError
        The plan was written by a newer Tidemill.
    """
    if data["format"] > FORMAT:
        raise ValueError(f"feature plan format {data['format']} is newer than this Tidemill reads ({FORMAT})")
    return FeaturePlan(
        style=data["style"],
        inputs=tuple(InputColumn(**column) for column in data["inputs"]),
        transforms=tuple(FrozenColumn(**column) for column in data["transforms"]),
        features=tuple(
            Feature(**{**feature, "encoding": _encoding_from_dict(feature["encoding"])}) for feature in data["features"]
        ),
    )


def _encoding_to_dict(encoding: Encoding) -> dict[str, Any]:
    data: dict[str, Any] = {"type": type(encoding).__name__}
    for item in fields(encoding):
        value = getattr(encoding, item.name)
        data[item.name] = _encoding_to_dict(value) if isinstance(value, Number) else _listed(value)
    return data


def _encoding_from_dict(data: Mapping[str, Any]) -> Encoding:
    known = {kind.__name__: kind for kind in _ENCODINGS}
    values = {name: _tupled(value) for name, value in data.items() if name != "type"}
    if data["type"] == "Instant":
        seconds = _encoding_from_dict(data["seconds"])
        assert isinstance(seconds, Number)  # noqa: S101  an Instant is written with a Number inside
        return Instant(seconds=seconds, parts=values["parts"])
    return known[data["type"]](**values)


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple) else value


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value
