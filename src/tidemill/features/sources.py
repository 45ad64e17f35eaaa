"""Which features a table's columns make, and what each holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tidemill.core.errors import BindError, StatementError, UnsupportedError, Where
from tidemill.core.names import did_you_mean, name_key, quote_name
from tidemill.features.plan import Kind

if TYPE_CHECKING:
    import pyarrow as pa

#: What a naive timestamp (DuckDB TIMESTAMP, BigQuery DATETIME) is: taken apart like a TIMESTAMP, or a category.
Datetimes = Literal["expanded", "categorical"]

#: Kinds whose values are categories.
CATEGORICAL: frozenset[str] = frozenset({"text", "bool", "date", "time", "datetime", "bytes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A feature before anything is learnt: where it is read from and what it holds."""

    name: str
    column: str
    kind: Kind
    type: str
    field: str = ""

    @property
    def index_field(self) -> int:
        """The 1-based position of the index in an ARRAY<STRUCT<index, value>>."""
        return 2 if "struct<value:" in self.type and ", index:" in self.type else 1

    @property
    def sql(self) -> str:
        """SQL of the value, over the rows of the training query."""
        if not self.field:
            return quote_name(self.column)
        return f"struct_extract({quote_name(self.column)}, {quote_name(self.field, chr(39))})"


def find_column(schema: pa.Schema, name: str, *, where: Where | None = None) -> int:
    """The position of a column by name, letter case aside (exact spelling first).

    Raises
    ------
    BindError
        There is no such column.
    """
    names: list[str] = schema.names
    if name in names:
        return names.index(name)
    folded = [name_key(other) for other in names]
    if name_key(name) in folded:
        return folded.index(name_key(name))
    raise BindError(f"there is no column {name}", where=where, hint=did_you_mean(name, names), column=name)


def kind_of(type_: pa.DataType, *, datetimes: Datetimes = "expanded") -> Kind | None:
    """What a column of an Arrow type holds; None when it cannot be a feature."""
    import pyarrow as pa

    t = pa.types
    if isinstance(type_, pa.BaseExtensionType):
        return kind_of(type_.storage_type, datetimes=datetimes)
    if t.is_dictionary(type_):
        return kind_of(type_.value_type, datetimes=datetimes)
    if t.is_boolean(type_):
        return "bool"
    if t.is_integer(type_) or t.is_floating(type_) or t.is_decimal(type_):
        return "number"
    if t.is_string(type_) or t.is_large_string(type_) or t.is_string_view(type_) or t.is_null(type_):
        return "text"
    if t.is_binary(type_) or t.is_large_binary(type_) or t.is_binary_view(type_) or t.is_fixed_size_binary(type_):
        return "bytes"
    if t.is_date(type_):
        return "date"
    if t.is_time(type_):
        return "time"
    if t.is_timestamp(type_):
        return "datetime" if type_.tz is None and datetimes == "categorical" else "timestamp"
    if t.is_list(type_) or t.is_large_list(type_) or t.is_fixed_size_list(type_):
        return _kind_of_list(type_.value_type)
    return None


def _kind_of_list(item: pa.DataType) -> Kind | None:
    import pyarrow as pa

    if pa.types.is_struct(item):
        names = [name_key(item.field(i).name) for i in range(item.num_fields)]
        return "sparse" if len(names) == 2 and all(kind_of(item.field(i).type) == "number" for i in (0, 1)) else None
    inner = kind_of(item)
    if inner == "number":
        return "vector"
    return "texts" if inner == "text" else None


def list_sources(
    schema: pa.Schema, features: Sequence[str], *, datetimes: Datetimes = "expanded", where: Where | None = None
) -> list[Source]:
    """The features that columns make, in order; a STRUCT makes one per field, named ``<struct>_<field>``.

    Raises
    ------
    BindError
        A column is not in the schema.
    UnsupportedError
        A column's type cannot be a feature.
    StatementError
        Two features have one name.
    """
    import pyarrow as pa

    sources: list[Source] = []
    for wanted in features:
        column = schema.field(find_column(schema, wanted, where=where))
        if not pa.types.is_struct(column.type):
            sources.append(_source(column.name, "", column.type, datetimes=datetimes, where=where))
            continue
        for i in range(column.type.num_fields):
            field = column.type.field(i)
            sources.append(_source(column.name, field.name, field.type, datetimes=datetimes, where=where))
    _check_names(sources, where)
    return sources


def _source(column: str, field: str, type_: pa.DataType, *, datetimes: Datetimes, where: Where | None) -> Source:
    kind = kind_of(type_, datetimes=datetimes)
    name = f"{column}_{field}" if field else column
    if kind is None:
        raise UnsupportedError(
            f"column {name} of type {type_} cannot be a feature",
            where=where,
            hint=f"leave it out (SELECT * EXCEPT({column})), or CAST it to a number, a string or an array of them",
            column=name,
            type=str(type_),
        )
    return Source(name=name, column=column, field=field, kind=kind, type=str(type_))


def _check_names(sources: Sequence[Source], where: Where | None) -> None:
    seen: set[str] = set()
    for source in sources:
        if name_key(source.name) in seen:
            raise StatementError(
                f"two features are named {source.name}", where=where, hint="rename one of the columns with AS"
            )
        seen.add(name_key(source.name))
