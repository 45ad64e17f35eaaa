"""A document as data: sections of texts, lists, tables and figures, written as Markdown or as one HTML page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph; `code` in backquotes and **bold** are all its markup."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table: names of columns, and rows of texts and numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A block of code."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart: SVG for pages, and the table it was drawn from for everything else."""

    title: str
    svg: str
    grid: Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One of many things alike: its name, what kind it is, facts by name, notes, and what is drawn or listed of it."""

    title: str
    kind: str
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    blocks: tuple[Bullets | Grid | Figure, ...] = ()


Block = Text | Bullets | Grid | Code | Figure | Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole document.

    Parameters
    ----------
    lead
        One sentence under the title.
    facts
        What stands at the top, by name: the few things most readers look for.
    front
        What programs read, as YAML front matter of the Markdown.
    notices
        What a reader must see before anything else.
    """

    title: str
    lead: str
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...] = ()
    front: dict[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def shown(value: Any) -> str:
    """A cell as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def plain(text: str) -> str:
    """A text of the data in a document: what would be markup there is only a character."""
    return text.replace("`", "\u02bc").replace("*", "\u2217")
