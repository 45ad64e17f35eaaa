"""A document as one HTML page: no script, nothing fetched, every text escaped; readable on a phone and on paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
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

_WHEN = re.compile(r"\d{4}-\d\d-\d\d")
_LONGEST_WHEN = 40

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What a browser lets the page do: show its own styles, and nothing else."""

_STYLE = """
:root{--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;--paper:#fff;--wash:#f5f7f9;--accent:#0b6e8a;--warn:#9a5b00;
--warnwash:#fff6e5;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ink:#e7ebf0;--soft:#9aa7b6;--line:#2c3643;--paper:#12171d;--wash:#1a212a;
--accent:#5cc3e0;--warn:#f0b35a;--warnwash:#2a2214}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:52rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
header{border-bottom:1px solid var(--line);padding-bottom:1.25rem;margin-bottom:1.25rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .35rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.4rem 0 .6rem;padding-top:.2rem}
p{margin:.5rem 0;overflow-wrap:anywhere}
.lead{color:var(--soft);font-size:1.05rem;margin:0}
.note{background:var(--warnwash);border-left:4px solid var(--warn);padding:.6rem .9rem;border-radius:0 6px 6px 0;
margin:.6rem 0}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.9rem 1.25rem;margin:1.25rem 0 0}
dt{color:var(--soft);font-size:.78rem;letter-spacing:.03em;text-transform:uppercase}
dd{margin:.1rem 0 0;font-weight:600;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto;margin:.6rem 0}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding-bottom:.35rem}
th{text-align:left;font-weight:600;color:var(--soft);border-bottom:2px solid var(--line);white-space:nowrap}
th,td{padding:.4rem .9rem .4rem 0;vertical-align:top}
td:first-child{min-width:6rem;overflow-wrap:anywhere}
td{border-bottom:1px solid var(--line)}
.number{text-align:right}
.when{white-space:nowrap}
ul{padding-left:1.15rem;margin:.5rem 0}
li{margin:.3rem 0;overflow-wrap:anywhere}
pre{background:var(--wash);border:1px solid var(--line);border-radius:8px;padding:.8rem 1rem;overflow-x:auto;
font-size:.85rem;line-height:1.5}
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.9em}
p code,li code,td code{background:var(--wash);border-radius:4px;padding:.05em .35em}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));gap:1.5rem;margin:1rem 0}
figure{margin:0;min-width:0}
figcaption{font-weight:600;font-size:.92rem;margin-bottom:.4rem}
svg{width:100%;height:auto;display:block;max-width:30rem}
svg text{fill:var(--ink);font-family:inherit}
svg .tick{fill:var(--soft);font-size:11px}
svg .axis{fill:var(--soft);font-size:12px}
svg .name{font-size:12.5px}
svg .grid{stroke:var(--line)}
svg .guide{stroke:var(--soft);stroke-dasharray:4 4}
svg .line{fill:none;stroke:var(--accent);stroke-width:2.5;stroke-linejoin:round}
svg .dot{fill:var(--accent)}
svg .faint{fill-opacity:.35}
svg .bar{fill:var(--accent)}
svg .bar.was{fill:var(--soft);fill-opacity:.45}
svg .hit{fill:transparent}
svg .cell{stroke:var(--paper);stroke-width:1}
svg .bar.plus,svg .cell.plus{fill:var(--accent)}
svg .cell.minus{fill:var(--warn)}
svg .tick.over{fill:var(--paper)}
.panel{border:1px solid var(--line);border-radius:10px;padding:1rem 1.25rem;margin:1rem 0;break-inside:avoid}
.panel h3{margin:0 0 .6rem;font-size:1.05rem;overflow-wrap:anywhere}
.panel .kind{color:var(--soft);font-weight:400;font-size:.85rem;margin-left:.35rem}
.panel dl{grid-template-columns:repeat(auto-fill,minmax(7rem,1fr));gap:.6rem 1rem;margin:.2rem 0 0;align-content:start}
.panel dd{font-size:.92rem}
.panel figure{margin-bottom:.9rem}
.halves{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1.15fr);gap:1.25rem}
@media (max-width:40rem){.halves{grid-template-columns:1fr}}
@media (max-width:40rem){main{padding:1.5rem 1rem 3rem}h1{font-size:1.5rem}dl{grid-template-columns:1fr 1fr}}
@media print{main{max-width:none;padding:0}h2{break-after:avoid}figure,tr{break-inside:avoid}}
"""

_CODE = re.compile(r"`([^`]+)`")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_STRESSED = re.compile(r"(?<![\w*])\*([^*\s](?:[^*]*[^*\s])?)\*(?![\w*])")


def as_html(document: Document) -> str:
    """Write a document as a page that stands alone."""
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{_breakable(value)}</dd></div>" for name, value in document.facts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<header>\n<h1>{escape(document.title)}</h1>\n<p class="lead">{_inline(document.lead)}</p>\n'
        f"{f'<dl>{facts}</dl>' if facts else ''}\n</header>\n"
        + "".join(f'<p class="note" role="note">{_inline(notice)}</p>\n' for notice in document.notices)
        + "".join(map(_section, document.sections))
        + "</main>\n</body>\n</html>\n"
    )


def _breakable(text: str) -> str:
    """A text that may break behind underscores: names of model types are long."""
    return escape(text).replace("_", "_<wbr>")


def _section(section: Section) -> str:
    parts: list[str] = []
    figures: list[str] = []
    for block in section.blocks:
        if isinstance(block, Figure):
            figures.append(_figure(block))
            continue
        parts.append(_figures(figures) + _block(block))
        figures = []
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{''.join(parts)}{_figures(figures)}</section>\n"


def _figures(figures: list[str]) -> str:
    """Figures that follow one another stand side by side where there is room."""
    return f'<div class="figures">\n{"".join(figures)}</div>\n' if figures else ""


def _figure(figure: Figure) -> str:
    return f"<figure><figcaption>{escape(figure.title)}</figcaption>{figure.svg}</figure>\n"


def _block(block: Block) -> str:
    match block:
        case Text(text=text):
            return "".join(_paragraph(part) for part in re.split(r"\n\s*\n", text.strip()) if part)
        case Bullets(items=items):
            return f"<ul>\n{''.join(f'<li>{_inline(item)}</li>' + chr(10) for item in items)}</ul>\n"
        case Code(text=text):
            return f"<pre><code>{escape(text)}</code></pre>\n"
        case Grid():
            return _grid(block)
        case Figure():
            return _figure(block)
        case Panel():
            return _panel(block)


def _panel(panel: Panel) -> str:
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in panel.facts)
    notes = "".join(f'<p class="note">{_inline(note)}</p>' for note in panel.notes)
    drawn = "".join(map(_block, panel.blocks))
    return (
        f'<article class="panel"><h3>{_breakable(panel.title)} <span class="kind">{escape(panel.kind)}</span></h3>\n'
        f'{notes}<div class="halves"><dl>{facts}</dl><div>{drawn}</div></div></article>\n'
    )


def _paragraph(text: str) -> str:
    """A paragraph, or a list where every line is an item: what people write in cards/NAME.md."""
    lines = text.splitlines()
    if all(line.lstrip().startswith(("- ", "* ")) for line in lines):
        return f"<ul>\n{''.join(f'<li>{_inline(line.lstrip()[2:])}</li>' for line in lines)}</ul>\n"
    return f"<p>{_inline(text)}</p>\n"


def _grid(grid: Grid) -> str:
    kinds = [_kind([row[at] for row in grid.rows]) for at in range(len(grid.columns))]
    caption = f"<caption>{escape(grid.caption)}</caption>" if grid.caption else ""
    head = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(grid.columns, kinds, strict=True))
    rows = "".join(f"<tr>{_cells(row, kinds)}</tr>\n" for row in grid.rows)
    table = f"<table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table>"
    return f'<div class="scroll">{table}</div>\n'


def _cells(row: Sequence[Any], kinds: Sequence[str]) -> str:
    return "".join(f"<td{kind}>{_inline(shown(value))}</td>" for value, kind in zip(row, kinds, strict=True))


def _kind(values: Sequence[Any]) -> str:
    """The class of a column's cells: numbers stand to the right, and no date is broken at its hyphens."""
    if values and all(map(_is_number, values)):
        return ' class="number"'
    if any(isinstance(value, str) and _WHEN.match(value) for value in values):
        return ' class="when"' if max(len(str(value)) for value in values) <= _LONGEST_WHEN else ""
    return ""


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _inline(text: str) -> str:
    """Escape a text; `code`, **bold** and *stress* are all that is marked up, and nothing inside code."""
    parts = _CODE.split(escape(text))
    for at, part in enumerate(parts):
        marked = _STRESSED.sub(r"<em>\1</em>", _BOLD.sub(r"<strong>\1</strong>", part))
        parts[at] = f"<code>{part}</code>" if at % 2 else marked
    return "".join(parts)
