"""Arrow types by their written form (``list<element: double>``), for processes that never load Arrow."""

from __future__ import annotations

from dataclasses import dataclass

_LISTS = frozenset({"list", "large_list", "fixed_size_list", "list_view", "large_list_view"})


@dataclass(frozen=True, slots=True)
class ArrowText:
    """A type taken apart.

    Parameters
    ----------
    name
        ``double``, ``decimal128``, ``timestamp``, ``list`` (for every kind of list), ``struct``, ...
    rest
        What stands in its brackets: ``us, tz=UTC``, ``10, 2``.
    fields
        A struct's fields by name; the one item of a list, without a name.
    """

    name: str
    rest: str = ""
    fields: tuple[tuple[str, ArrowText], ...] = ()


def read_arrow_text(text: str) -> ArrowText:
    """Take a type apart that ``str(type)`` wrote; a dictionary is what it holds."""
    text = text.strip()
    cut = min((at for at in map(text.find, "<([") if at >= 0), default=len(text))
    name, rest = text[:cut], text[cut + 1 : max(map(text.rfind, ">)]"))] if cut < len(text) else ""
    if name == "dictionary":
        return read_arrow_text(rest.split("values=", 1)[1].split(", indices=", 1)[0])
    if name in _LISTS:
        return ArrowText("list", fields=(("", _field(rest[: rest.rfind(">")] if text.endswith("]") else rest)[1]),))
    if name == "struct":
        return ArrowText("struct", fields=tuple(_field(part) for part in _parts(rest)))
    return ArrowText(name, rest)


def _field(text: str) -> tuple[str, ArrowText]:
    name, _, type_ = text.partition(": ")
    return name, read_arrow_text(type_.removesuffix(" not null"))


def _parts(text: str) -> list[str]:
    """Split at the commas that stand in no bracket."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char in "<([") - (char in ">)]")
        if char == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return [*parts, text[start:].strip()] if text.strip() else []
