"""Names: how they are quoted, compared and guessed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

QUERY = ("select", "with", "from")


def quote_name(name: str, quote: str = '"') -> str:
    """Quote one identifier for SQL. The only place in Tidemill that does.

    Raises
    ------
    ValueError
        The name has a NUL character, which no engine can hold.
    """
    if "\0" in name:
        raise ValueError("a name cannot hold a NUL character")
    return quote + name.replace(quote, quote * 2) + quote


def quote_path(name: str, quote: str = '"') -> str:
    """Quote a dotted asset name part by part: ``sales.orders`` becomes ``"sales"."orders"``."""
    return ".".join(quote_name(part, quote) for part in name.split("."))


def quote_text(text: str) -> str:
    """Quote a text as a SQL string literal.

    Standard SQL knows no escapes but the doubled quote.

    Raises
    ------
    ValueError
        The text has a NUL character, which no engine can hold.
    """
    if "\0" in text:
        raise ValueError("a text in SQL cannot hold a NUL character")
    return "'" + text.replace("'", "''") + "'"


def name_key(name: str) -> str:
    """The form in which names are compared: engines here fold case, so two names that differ in case are one."""
    return name.casefold()


def asset_key(name: str) -> str:
    """The key of a table, view or model: they share one space of names, in which case does not matter.

    ``main`` is the lake's default schema: ``main.orders`` is ``orders``.
    """
    return name_key(name).removeprefix("main.")


def is_query(name: str) -> bool:
    """Whether what somebody names is a query: it begins as one, and goes on."""
    words = name.split(maxsplit=1)
    return len(words) == 2 and words[0].lower() in QUERY


def did_you_mean(name: str, known: Iterable[str], *, all_of_them: bool = True) -> str:
    """A hint with the nearest known name, or the known names when none is near; empty when nothing is known."""
    names = sorted(set(known))
    if not names:
        return ""
    folded = {candidate.casefold(): candidate for candidate in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]}?"
    shown = ", ".join(names[:12])
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"{'known' if all_of_them else 'some that are there'}: {shown}{more}"
