"""A document as Markdown, with YAML front matter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tidemill.analysis.documents.document import (
    Block,
    Bullets,
    Code,
    Document,
    Figure,
    Grid,
    Panel,
    Section,
    Text,
    shown,
)


def as_markdown(document: Document) -> str:
    """Write a document as Markdown."""
    parts = [_front(document.front)] if document.front else []
    parts += [f"# {_line(document.title)}", _line(document.lead)]
    parts += [f"> **Note:** {_line(notice)}" for notice in document.notices]
    if document.facts:
        parts.append(_grid(Grid(columns=("", ""), rows=document.facts)))
    parts += [_section(section) for section in document.sections]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section) -> str:
    return "\n\n".join([f"## {_line(section.title)}", *map(_block, section.blocks)])


def _block(block: Block) -> str:
    match block:
        case Text(text=text):
            return text
        case Bullets(items=items):
            return "\n".join(f"- {_line(item)}" for item in items)
        case Grid():
            return _grid(block)
        case Code(text=text, language=language):
            fence = "`" * max(3, _longest_run(text) + 1)
            return f"{fence}{language}\n{text}\n{fence}"
        case Figure(title=title, grid=grid):
            return f"**{_line(title)}**\n\n{_grid(grid)}"
        case Panel():
            parts = [f"### {_line(block.title)} ({_line(block.kind)})", *(f"> {_line(note)}" for note in block.notes)]
            facts = [_grid(Grid(columns=("", ""), rows=block.facts))] if block.facts else []
            return "\n\n".join([*parts, *facts, *map(_block, block.blocks)])


def _grid(grid: Grid) -> str:
    head = f"| {' | '.join(_cell(name) for name in grid.columns)} |"
    rule = f"|{'|'.join(' --- ' for _ in grid.columns)}|"
    rows = [f"| {' | '.join(_cell(shown(value)) for value in row)} |" for row in grid.rows]
    caption = [_line(grid.caption), ""] if grid.caption else []
    return "\n".join([*caption, head, rule, *rows])


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _line(text: str) -> str:
    """One line in which nothing is read as HTML; `code` stays as it is, where its second backquote is there."""
    parts = " ".join(text.split()).split("`")
    last = len(parts) - 1
    return "`".join(part if at % 2 and at < last else part.replace("<", "&lt;") for at, part in enumerate(parts))


def _longest_run(text: str) -> int:
    longest = run = 0
    for char in text:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    return longest


def _front(front: Mapping[str, Any]) -> str:
    return "\n".join(["---", *_yaml(front, 0), "---"])


def _yaml(value: Any, depth: int) -> list[str]:
    """Plain data as YAML in block style; scalars are written as JSON, which YAML reads."""
    pad = "  " * depth
    lines: list[str] = []
    if isinstance(value, Mapping):
        for name, item in value.items():
            key = name if name.replace("_", "").replace("-", "").isalnum() else json.dumps(name, ensure_ascii=False)
            lines += _entry(f"{pad}{key}:", item, depth)
    else:
        for item in value:
            inner = _yaml(item, depth + 1) if isinstance(item, Mapping | list | tuple) else [_scalar(item)]
            lines += [f"{pad}- {inner[0].lstrip()}", *inner[1:]]
    return lines


def _entry(head: str, item: Any, depth: int) -> list[str]:
    if isinstance(item, Mapping | list | tuple):
        return [head, *_yaml(item, depth + 1)] if item else [f"{head} {'{}' if isinstance(item, Mapping) else '[]'}"]
    return [f"{head} {_scalar(item)}"]


def _scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
