"""tidemill lineage: which column came from which, by the SQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.output import write_text
from tidemill.cli.parameters import argument, option
from tidemill.column_lineage.dot import as_dot
from tidemill.column_lineage.picture import as_html, as_svg
from tidemill.column_lineage.select import direct_only, select
from tidemill.column_lineage.text import describe_column, describe_graph, describe_node
from tidemill.core.errors import SettingsError


def lineage(
    name: Annotated[
        str, argument(metavar="[NAME]", about="A table, view, model or file, or one of its columns: NAME.COLUMN.")
    ] = "",
    up: Annotated[bool, option("--up", about="Only what it comes from.")] = False,
    down: Annotated[bool, option("--down", about="Only what it goes into.")] = False,
    direct: Annotated[
        bool, option("--direct", about="Only how values flow; not what filters, joins, groups or sorts.")
    ] = False,
    depth: Annotated[int, option("--depth", least=0, about="Tables to go in each direction; 0 to the ends.")] = 0,
    as_json: AsJson = False,
    dot: Annotated[bool, option("--dot", about="Print it in Graphviz's language.")] = False,
    svg: Annotated[Path | None, option("--svg", metavar="FILE", about="Write a picture.")] = None,
    html: Annotated[Path | None, option("--html", metavar="FILE", about="Write a page with the picture.")] = None,
    project: ProjectFolder = Path(),
) -> None:
    """Print it; of the whole project without a name. Nothing is run."""
    if as_json and dot:
        raise SettingsError("give --json or --dot, not both")
    up, down = up or not down, down or not up
    with entered(project) as opened:
        graph, start = opened.lineage_of(name) if name else (opened.column_lineage(), None)
    if start is None:
        part = direct_only(graph) if direct else graph
    else:
        part = select(graph, start, up=up, down=down, direct=direct, depth=depth)
    title = f"Lineage of {graph.name(start) if start else opened.root.name}"
    for path, draw in ((svg, as_svg), (html, as_html)):
        if path is not None:
            write_text(draw(part, title=title, start=start), path)
            print(f"wrote {path}")
    if as_json:
        print(json.dumps(part.as_json(), indent=2, ensure_ascii=False))
    elif dot:
        print(as_dot(part), end="")
    elif start is None and not (svg or html):
        print(describe_graph(part))
    elif start is not None and not (svg or html):
        above = select(graph, start, down=False, direct=direct, depth=depth) if up else None
        below = select(graph, start, up=False, direct=direct, depth=depth) if down else None
        print(
            describe_column(start, above=above, below=below)
            if start.column
            else describe_node(start.node, above=above, below=below)
        )
