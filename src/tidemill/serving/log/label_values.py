"""Which values are labels of a model, and how else a source may spell them: as the engine itself would cast them.

One bad cell makes text of a whole column of a file, and databases keep 1 and 0 for true and false. So each value is
looked at alone: a text that says a truth or a number is one, where the model predicts such.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tidemill.serving.log.texts import text_of

TRUTHS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}
"""What a text says that the engine casts to BOOL, in whatever case."""

TRUTH_PATTERN = "^({})$".format("|".join("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in t) for t in TRUTHS))
NUMBER_PATTERN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_NUMBER = re.compile(NUMBER_PATTERN)
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelValues:
    """The values that one model's labels have; by default any plain value, for no model is known.

    Parameters
    ----------
    classes
        The texts of the model's classes; empty where it predicts a number, or there is none.
    truths
        Whether the classes are true and false.
    numbers
        Whether the model predicts a number, or its classes are numbers.
    """

    classes: frozenset[str] = frozenset()
    truths: bool = False
    numbers: bool = False

    def value(self, given: Any) -> Any:
        """A plain value as the model has it; itself where that is what it is, or it says nothing to this model."""
        if self.truths and isinstance(given, str):
            return TRUTHS.get(given.lower(), given)
        if self.truths and isinstance(given, int | float):
            return bool(given) if given in (0, 1) else given
        if self.numbers and isinstance(given, str) and _NUMBER.fullmatch(given):
            return int(given) if _WHOLE.fullmatch(given) else float(given)
        return given


def values_of(classes: Iterable[Any]) -> LabelValues:
    """The values of a model with these classes; of one that predicts a number where there are none."""
    known = tuple(classes)
    return LabelValues(
        classes=frozenset(map(text_of, known)),
        truths=bool(known) and all(isinstance(one, bool) for one in known),
        numbers=all(isinstance(one, int | float) and not isinstance(one, bool) for one in known),
    )
