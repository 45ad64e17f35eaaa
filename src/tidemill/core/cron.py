"""Cron expressions: the five fields of crontab(5), read into the numbers they allow. Pure; times are `core.cron_times`.

References
----------
https://man7.org/linux/man-pages/man5/crontab.5.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from tidemill.core.errors import SettingsError
from tidemill.core.names import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: what it is called, its bounds, and words for its numbers."""

    name: str
    low: int
    high: int
    words: Mapping[str, int] = field(default_factory=dict)


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

FIELDS: tuple[Field, ...] = (
    Field(name="minute", low=0, high=59),
    Field(name="hour", low=0, high=23),
    Field(name="day of the month", low=1, high=31),
    Field(name="month", low=1, high=12, words={word: number for number, word in enumerate(_MONTHS, start=1)}),
    Field(name="day of the week", low=0, high=7, words={word: number for number, word in enumerate(_DAYS)}),
)

NICKNAMES: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """What an expression allows.

    Parameters
    ----------
    weekdays
        Sunday is 0.
    either
        A day is meant when its number or its weekday is: both fields say something. Else when both are.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    @property
    def every_hour(self) -> bool:
        """Whether no hour is left out: such a schedule follows time as it passes, not the clock on the wall."""
        return len(self.hours) == 24

    def on(self, day: date) -> bool:
        """Whether a day is meant."""
        if day.month not in self.months:
            return False
        number, weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return number or weekday if self.either else number and weekday


def read_cron(text: str) -> Cron:
    """Read an expression.

    Raises
    ------
    SettingsError
        It is none, or no day is ever meant.
    """
    words = NICKNAMES.get(text.strip().lower(), text).split()
    if text.strip().startswith("@") and len(words) == 1:
        why = "there is no moment of a boot here" if text.strip().lower() == "@reboot" else "it is no nickname"
        raise SettingsError(f"{text.strip()!r} is no time: {why}", hint=did_you_mean(text.strip(), NICKNAMES))
    if len(words) != len(FIELDS):
        names = ", ".join(one.name for one in FIELDS)
        raise SettingsError(
            f"a cron expression has five fields ({names}); {text!r} has {len(words)}",
            hint='every night at three: "0 3 * * *"',
        )
    minutes, hours, days, months, weekdays = (
        _field(word, known, text) for word, known in zip(words, FIELDS, strict=True)
    )
    found = Cron(
        text=" ".join(text.split()),
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(day % 7 for day in weekdays),
        either="*" not in words[2] and "*" not in words[4],
    )
    if not found.either and not any(day <= _LONGEST[month - 1] for day in days for month in months):
        raise SettingsError(f"{text!r} never comes: no month of it has such a day")
    return found


def _field(word: str, known: Field, text: str) -> set[int]:
    found: set[int] = set()
    for part in word.split(","):
        found |= set(_part(part, known, text))
    return found


def _part(part: str, known: Field, text: str) -> range:
    """One of ``*``, ``7``, ``mon``, ``1-5``, each also with a step behind a slash."""
    span, slash, step_text = part.partition("/")
    step = 1
    if slash:
        if not step_text.isdecimal() or int(step_text) < 1:
            raise _wrong(f"{part!r} has no whole number of at least 1 behind its slash", known, text)
        step = int(step_text)
    if span == "*":
        return range(known.low, known.high + (known.high != 7), step)
    low_text, dash, high_text = span.partition("-")
    low = _number(low_text, known, text)
    if not dash:
        return range(low, (known.high if slash else low) + 1, step)
    high = _number(high_text, known, text)
    if known.high == 7 and high == 0 < low:  # a range that ends on Sunday
        high = 7
    if high < low:
        raise _wrong(f"{part!r} goes backwards", known, text, hint="write two ranges with a comma between them")
    return range(low, high + 1, step)


def _number(word: str, known: Field, text: str) -> int:
    lower = word.lower()
    if lower in known.words:
        return known.words[lower]
    if word.isdecimal() and word.isascii() and known.low <= int(word) <= known.high:
        return int(word)
    if word[-1:].upper() in {"L", "W"} or "#" in word or word in {"?", "H"}:
        raise _wrong(f"{word!r} is of other schedulers: L, W, #, ? and H are not read", known, text)
    hint = did_you_mean(word, known.words) if known.words and word.isalpha() else ""
    raise _wrong(f"{word!r} is none", known, text, hint=hint)


def _wrong(what: str, known: Field, text: str, *, hint: str = "") -> SettingsError:
    takes = f"{known.low} to {known.high}"
    if known.words:
        names = list(known.words)
        takes += f" or {names[0]} to {names[-1]}"
    hint = hint or f"it takes {takes}, *, ranges with -, lists with , and steps with /"
    return SettingsError(f"the {known.name} of {text!r}: {what}", hint=hint)
