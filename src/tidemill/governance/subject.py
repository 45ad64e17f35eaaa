"""A person as those see them who have to erase their rows: values of columns, and digests that stand for these."""

from __future__ import annotations

import hashlib
import math
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tidemill.core.errors import SettingsError
from tidemill.core.names import name_key

SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value of a column that names one person."""

    column: str
    text: str

    @property
    def shown(self) -> tuple[str, ...]:
        """What a column that is no text shows it as: 42 as 42.0 and 007 as 7, a UUID in small letters.

        In a text 007 and 7 are two people.
        """
        return tuple(one for one in dict.fromkeys([*_numbers(self.text), *_uuids(self.text)]) if one != self.text)

    @property
    def telling(self) -> bool:
        """Whether the text says by itself who is meant, wherever it stands: 7 does not, ann@example.org does."""
        return len(self.text) >= 8 or (len(self.text) >= 4 and re.search(r"[^\W\d_]", self.text) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is kept of the values of one column: keyed digests, by which a row is known and from which none is read.

    Parameters
    ----------
    digests
        Of the values as they were told.
    shown
        Of what columns that are no texts show them as.
    texts, shown_texts
        The values themselves, while the process lives that was told them: comparing takes a tenth of the time.
    """

    column: str
    digests: tuple[str, ...]
    shown: tuple[str, ...] = ()
    texts: tuple[str, ...] = field(default=(), compare=False, repr=False)
    shown_texts: tuple[str, ...] = field(default=(), compare=False, repr=False)


def read_value(given: str) -> Value:
    """What ``COLUMN=VALUE`` says.

    Raises
    ------
    SettingsError
        It says no column, or no value.
    """
    column, equals, text = given.partition("=")
    if not equals or not column.strip() or not text:
        raise SettingsError(
            f"{given!r} does not say whose rows are meant", hint="give COLUMN=VALUE, such as customer_id=C1042"
        )
    if "\0" in given:
        raise SettingsError("a value cannot hold a NUL character")
    return Value(column=column.strip(), text=text)


def digest(salt: str, column: str, text: str) -> str:
    """The keyed digest of a value of a column; `governance.conditions` computes the same in SQL."""
    return hashlib.sha256(SEPARATOR.join((salt, name_key(column), text)).encode()).hexdigest()


def marks_of(values: Sequence[Value], salt: str, *, more: Iterable[tuple[str, str]] = ()) -> tuple[Mark, ...]:
    """The marks of values; ``more`` are other texts of columns, such as values as the log hashes them."""
    told: dict[str, dict[str, None]] = {}
    for column, text in (*((value.column, value.text) for value in values), *more):
        told.setdefault(name_key(column), {})[text] = None
    shown: dict[str, dict[str, None]] = {}
    for column, text in ((value.column, text) for value in values for text in value.shown):
        shown.setdefault(name_key(column), {})[text] = None

    def digests(column: str, texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(digest(salt, column, text) for text in texts)

    return tuple(
        Mark(
            column=column,
            digests=digests(column, texts),
            shown=digests(column, shown.get(column, ())),
            texts=tuple(texts),
            shown_texts=tuple(shown.get(column, ())),
        )
        for column, texts in told.items()
    )


def _numbers(text: str) -> Iterable[str]:
    try:
        number = float(text)
    except ValueError:
        return
    if not math.isfinite(number) or not text.isascii():
        return
    if number.is_integer():
        yield str(int(text) if re.fullmatch(r"[+-]?\d+", text) else int(number))
    yield repr(number)


def _uuids(text: str) -> Iterable[str]:
    try:
        yield str(uuid.UUID(text))
    except ValueError:
        return
