"""Lineage as a picture: one SVG, or one page around it that shows what a column hangs together with.

Nothing is fetched; every text is escaped. Colours follow the reader's light or dark setting.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from itertools import pairwise

from tidemill.column_lineage.graph import HOWS, ColumnGraph, ColumnRef, Node
from tidemill.column_lineage.layout import HEAD, ROW, Box, Layout, lay_out

BOLD = 8.5  # of a bold letter, the width where most are wide
_CLASSES = {"table": "made", "load": "made", "view": "view", "model": "model", "assert": "check"}

_STYLE = """
svg.lineage{--ink:#1c2430;--soft:#5b6675;--line:#cfd6de;--paper:#fff;--box:#fff;--made:#0b6e8a;--view:#3d7a3a;
--model:#7a3fa0;--check:#9a5b00;--source:#5b6675;--direct:#4b6a86;--asked:#fff1c9;
font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;background:var(--paper)}
@media (prefers-color-scheme:dark){svg.lineage{--ink:#e7ebf0;--soft:#9aa7b6;--line:#364251;--paper:#12171d;
--box:#1a212a;--made:#5cc3e0;--view:#8cc98a;--model:#c79be8;--check:#f0b35a;--source:#9aa7b6;--direct:#8fb0cc;--asked:#4a3d14}}
svg.lineage text{fill:var(--ink)}
svg.lineage .box{fill:var(--box);stroke:var(--line)}
svg.lineage .made{fill:var(--made)}svg.lineage .view{fill:var(--view)}svg.lineage .model{fill:var(--model)}
svg.lineage .check{fill:var(--check)}svg.lineage .source{fill:var(--source)}
svg.lineage .name{font-weight:600}
svg.lineage .kind,svg.lineage .role{fill:var(--soft);font-size:11px}
svg.lineage .row{fill:transparent}
svg.lineage .asked .row{fill:var(--asked)}
svg.lineage .edge{fill:none;stroke:var(--direct);stroke-width:1.5;stroke-opacity:.75}
svg.lineage .indirect{stroke-dasharray:4 4;stroke-opacity:.5}
svg.lineage .end{fill:var(--direct)}
"""
_PAGE_STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;--paper:#fff;--warnwash:#fff6e5}
@media (prefers-color-scheme:dark){:root{--ink:#e7ebf0;--soft:#9aa7b6;--line:#2c3643;--paper:#12171d;
--warnwash:#2a2214}}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
header{padding:1.2rem 1.5rem .8rem;border-bottom:1px solid var(--line)}
h1{font-size:1.25rem;margin:0;overflow-wrap:anywhere}
p{margin:.3rem 0 0;color:var(--soft);font-size:.9rem}
.key i{display:inline-block;width:1.6rem;border-top:2px solid currentColor;vertical-align:middle;margin:0 .35rem 0 0}
.key i+i,.key .dashed{border-top-style:dashed}
.key span{margin-right:1.2rem}
ul{margin:.5rem 0 0;padding:.5rem 1rem .5rem 2rem;background:var(--warnwash);border-radius:6px;font-size:.9rem}
main{overflow:auto;padding:0 .5rem 1.5rem}
svg.lineage{display:block;cursor:default}
svg.lineage .column,svg.lineage .head{cursor:pointer}
svg.lineage.picked .edge{stroke-opacity:.08}svg.lineage.picked .column text,svg.lineage.picked .head text{opacity:.3}
svg.lineage.picked .edge.on{stroke-opacity:1;stroke-width:2}
svg.lineage.picked .column.on text,svg.lineage.picked .head.on text{opacity:1}
svg.lineage.picked .column.here text{font-weight:700}
"""
_SCRIPT = """
const svg=document.querySelector('svg.lineage');
const edges=[...svg.querySelectorAll('.edge')],spots=[...svg.querySelectorAll('[data-at]')];
let kept=null;
function walk(at,from,to){const seen=new Set([at]),waiting=[at],on=[];
while(waiting.length){const one=waiting.pop();for(const edge of edges)if(edge.dataset[from]===one){on.push(edge);
const next=edge.dataset[to];if(!seen.has(next)){seen.add(next);if(!next.endsWith('h'))waiting.push(next)}}}
return [seen,on]}
function show(at){svg.classList.toggle('picked',at!==null);
const up=at===null?[new Set(),[]]:walk(at,'to','from'),down=at===null?[new Set(),[]]:walk(at,'from','to');
const on=new Set([...up[1],...down[1]]);
for(const edge of edges)edge.classList.toggle('on',on.has(edge));
for(const spot of spots){spot.classList.toggle('on',up[0].has(spot.dataset.at)||down[0].has(spot.dataset.at));
spot.classList.toggle('here',spot.dataset.at===at)}}
for(const spot of spots){spot.addEventListener('mouseenter',()=>show(spot.dataset.at));
spot.addEventListener('mouseleave',()=>show(kept));
spot.addEventListener('click',()=>{kept=kept===spot.dataset.at?null:spot.dataset.at;show(kept)})}
"""


def as_svg(graph: ColumnGraph, *, title: str, start: ColumnRef | None = None) -> str:
    """Draw a graph.

    Parameters
    ----------
    start
        The column that was asked about: it is marked.
    """
    layout = lay_out(graph)
    numbers = {key: number for number, key in enumerate(graph.nodes)}
    size = f'width="{layout.width:.0f}" height="{layout.height:.0f}"'
    view = f'viewBox="0 0 {layout.width:.0f} {layout.height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lineage" {size} {view} role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        *_edges(graph, layout, numbers),
        *(_node(node, layout.boxes[key], numbers[key], start) for key, node in graph.nodes.items()),
        "</svg>\n",
    ]
    return "\n".join(parts)


def as_html(graph: ColumnGraph, *, title: str, start: ColumnRef | None = None) -> str:
    """Write a page that stands alone: the picture, and what hangs together with the column one points at."""
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    notes = "".join(f"<li>{escape(f'{graph.nodes[note.node].name}: {note.text}')}</li>" for note in graph.notes)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_PAGE_STYLE}</style>\n</head>\n<body>\n<header>\n"
        f"<h1>{escape(title)}</h1>\n"
        '<p class="key"><span><i></i>values flow</span><span><i class="dashed"></i>decides which rows or values there '
        "are</span>Point at a column, or click it, to see what it hangs together with.</p>\n"
        f"{f'<ul>{notes}</ul>' if notes else ''}\n</header>\n<main>\n{as_svg(graph, title=title, start=start)}</main>\n"
        f"<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )


def _node(node: Node, box: Box, number: int, start: ColumnRef | None) -> str:
    kind = _CLASSES.get(node.kind, "source")
    x, y = box.x, box.y
    about = node.what
    open_ = not node.complete and kind != "source"  # of a source only what is read is shown
    place = f"{node.file}:{node.line}" if node.file else ""
    parts = [
        f'<g transform="translate({x:.1f} {y:.1f})">',
        f'<rect class="box" width="{box.width:.0f}" height="{box.height:.0f}" rx="7"/>',
        f'<g class="head" data-at="{number}h"><title>{escape(f"{node.name}: {about} {place}".strip())}</title>',
        f'<rect class="{kind}" width="5" height="{HEAD - 12}" x="8" y="6" rx="2"/>',
        f'<text class="name" x="20" y="17">{escape(_fitted(node.name, box.width - 28, char=BOLD))}</text>',
        f'<text class="kind" x="20" y="32">{escape(about)}{", not all columns known" if open_ else ""}</text></g>',
    ]
    for index, (key, column) in enumerate(node.columns.items()):
        asked = " asked" if start is not None and start == ColumnRef(node.key, key) else ""
        top = HEAD + index * ROW
        role = f'<text class="role" x="{box.width - 8:.0f}" y="{top + 14}" text-anchor="end">{column.role}</text>'
        width = box.width - 28 - 7 * len(column.role)
        parts.append(
            f'<g class="column{asked}" data-at="{number}.{index}"><title>{escape(f"{node.name}.{column.name}")}</title>'
            f'<rect class="row" x="4" y="{top}" width="{box.width - 8:.0f}" height="{ROW}" rx="4"/>'
            f'<text x="12" y="{top + 14}">{escape(_fitted(column.name, width))}</text>{role if column.role else ""}</g>'
        )
    return "".join([*parts, "</g>"])


def _fitted(text: str, width: float, *, char: float = 7.0) -> str:
    """A text cut in the middle where it is too long: what tells files apart stands at their ends."""
    most = max(4, int(width / char))
    if len(text) <= most:
        return text
    end = most // 2
    return f"{text[: most - 1 - end]}…{text[-end:]}"


def _edges(graph: ColumnGraph, layout: Layout, numbers: dict[str, int]) -> list[str]:
    """Lines, the indirect ones first: what flows is drawn over what only decides."""
    ways: dict[tuple[ColumnRef, ColumnRef], list[str]] = {}
    for edge in graph.edges:
        ways.setdefault((edge.source, edge.target), []).append(edge.how)
    drawn = sorted(ways.items(), key=lambda item: any(HOWS[how].direct for how in item[1]))
    return [_edge(graph, layout, numbers, source, target, hows) for (source, target), hows in drawn]


def _edge(
    graph: ColumnGraph, layout: Layout, numbers: dict[str, int], source: ColumnRef, target: ColumnRef, hows: list[str]
) -> str:
    first, last = layout.boxes[source.node], layout.boxes[target.node]
    begin = (first.x + first.width, _height(graph, first, source))
    end = (last.x, _height(graph, last, target))
    if source.node == target.node:
        begin, end = (first.x + first.width, begin[1]), (first.x + first.width, end[1])
        fall = end[1] - begin[1]
        bulge = 14 + abs(fall) / 4
        path = f"M{begin[0]:.1f} {begin[1]:.1f}c{bulge:.1f} 0 {bulge:.1f} {fall:.1f} 0 {fall:.1f}"
    else:
        path = _curve([begin, *layout.through.get((source.node, target.node), ()), end])
    style = "edge" if any(HOWS[how].direct for how in hows) else "edge indirect"
    said = f"{graph.name(source)} → {graph.name(target)}: {', '.join(dict.fromkeys(hows))}"
    ends = f'data-from="{_spot(graph, numbers, source)}" data-to="{_spot(graph, numbers, target)}"'
    return f'<path class="{style}" {ends} d="{path}"><title>{escape(said)}</title></path>'


def _curve(points: list[tuple[float, float]]) -> str:
    """A smooth line that leaves and reaches every point level."""
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x1, y1), (x2, y2) in pairwise(points):
        if y1 == y2:
            parts.append(f"H{x2:.1f}")
            continue
        bend = max(30.0, abs(x2 - x1) / 2)
        parts.append(f"C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}")
    return "".join(parts)


def _spot(graph: ColumnGraph, numbers: dict[str, int], ref: ColumnRef) -> str:
    columns = list(graph.nodes[ref.node].columns)
    return f"{numbers[ref.node]}.{columns.index(ref.column)}" if ref.column in columns else f"{numbers[ref.node]}h"


def _height(graph: ColumnGraph, box: Box, ref: ColumnRef) -> float:
    columns = list(graph.nodes[ref.node].columns)
    if ref.column not in columns:
        return box.y + HEAD / 2
    return box.y + HEAD + columns.index(ref.column) * ROW + ROW / 2
