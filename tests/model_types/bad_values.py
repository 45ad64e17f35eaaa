"""Bad values of every kind for an option, made from its row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidemill.model_types.base import Option
from tidemill.sql.statements import HparamSpace, OptionValue, Source

WRONG_KINDS: dict[str, tuple[Any, ...]] = {
    "int": ("many", "3", 1.5, True, [1], None),
    "float": ("much", "0.5", True, [0.5], None, float("inf")),
    "bool": ("TRUE", 1, [True], None),
    "str": (3, True, ["name"], "", None),
    "enum": ("NO_SUCH_CHOICE", 3, True, None),
    "strings": (3, True, [3], [], [""], None),
    "ints": (3, "3", ["3"], [], [True], None),
    "weights": ("heavy", 3, [], [("a",)], [("a", "b")], [("a", -1.0)], [("a", 1.0), ("a", 2.0)], None),
    "any": (None,),
}


def bad_values(option: Option) -> Iterator[Any]:
    """Values of the wrong kind, out of bounds on either side, and a search space."""
    yield from WRONG_KINDS[option.kind]
    if option.kind == "strings" and option.choices:
        yield ["NO_SUCH_CHOICE"]
    if option.kind == "float" and option.choices:
        yield "NO_SUCH_CHOICE"
    if option.kind in ("int", "float"):
        step = 1 if option.kind == "int" else 0.5
        if option.low is not None:
            bound = int(option.low) if option.kind == "int" else option.low
            yield bound if option.low_open else bound - step
        if option.high is not None:
            bound = int(option.high) if option.kind == "int" else option.high
            yield bound if option.high_open else bound + step
    yield HparamSpace(low=0.0, high=1.0)


def source_of(text: str) -> Source:
    """A statement that begins its file."""
    return Source(file="model.sql", line=1, column=1, text=text, dialect="duckdb")


def option_of(name: str, value: Any, *, column: int = 1) -> OptionValue:
    """An option at a place of the first line."""
    return OptionValue(
        name=name,
        value=value,
        line=1,
        column=column + len(name) + 3,
        length=len(str(value)),
        name_line=1,
        name_column=column,
    )
