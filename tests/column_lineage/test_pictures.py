"""Lineage as text, as Graphviz, as a picture and as a page."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import pytest
from tests.column_lineage.conftest import Build

from tidemill.column_lineage.dot import as_dot
from tidemill.column_lineage.layout import BETWEEN, lay_out
from tidemill.column_lineage.picture import as_html, as_svg
from tidemill.column_lineage.select import find_ref, select
from tidemill.column_lineage.text import describe_column, describe_graph, describe_node

SQL = """
CREATE VIEW p AS SELECT id, x AS v, y FROM a WHERE g = 'p';
CREATE TABLE t AS SELECT p.id, sum(v) AS total, max(z) AS top FROM p JOIN b USING (id) GROUP BY p.id;
CREATE MODEL m OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['top']) AS SELECT total, top FROM t;
CREATE TABLE scores AS SELECT id, predicted_top FROM ML.PREDICT(MODEL m, TABLE t);
"""
SVG = "{http://www.w3.org/2000/svg}"


def test_a_column_is_told_as_trees(build: Build) -> None:
    graph = build(SQL)
    ref = find_ref(graph, "t.total")

    text = describe_column(ref, above=select(graph, ref, down=False), below=select(graph, ref, up=False))

    assert (
        text
        == """\
t.total  (table, a.sql:3)

comes from
  └─ p.v  aggregation
     └─ a.x  identity

which rows there are, is decided by
  rows of p  <- a.g [filter]
  rows of t  <- p.id [join, group_by], b.id [join]

goes into
  ├─ m.total (feature)  identity
  │  └─ m.predicted_top (prediction)  training
  │     └─ scores.predicted_top  transformation
  └─ scores.predicted_top  transformation"""
    )


def test_a_model_is_told_with_its_features_and_label(build: Build) -> None:
    graph = build(SQL)
    ref = find_ref(graph, "m")

    text = describe_node("m", above=select(graph, ref, down=False, depth=1), below=select(graph, ref, up=False))

    assert (
        text
        == """\
m  (model, a.sql:4)

  total (feature)             <- t.total
  top (label)                 <- t.top
  predicted_top (prediction)  <- total [training], top [training]

comes from
  └─ t  (table, a.sql:3)

goes into
  └─ scores  (table, a.sql:5)"""
    )


def test_a_project_is_told_node_by_node(build: Build) -> None:
    lines = describe_graph(build(SQL)).split("\n")

    assert lines[:4] == [
        "a  (table of the lake)",
        "b  (table of the lake)",
        "p  (view, a.sql:2)  from a",
        "t  (table, a.sql:3)  from p, b",
    ]


def test_boxes_stand_apart_and_lines_go_to_the_right(build: Build) -> None:
    graph = build(SQL)
    layout = lay_out(graph)

    for one, other in combinations(layout.boxes.values(), 2):
        apart = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y
    for edge in graph.edges:
        source, target = layout.boxes[edge.source.node], layout.boxes[edge.target.node]
        assert source is target or source.x + source.width + BETWEEN / 2 < target.x
    assert layout.through["t", "scores"]  # it passes the model between them


def test_a_picture_is_xml_with_every_column_and_no_text_of_others(build: Build) -> None:
    graph = build('CREATE TABLE "<script>" AS SELECT x AS "a&b" FROM a')

    picture = as_svg(graph, title="<script>alert(1)</script>", start=find_ref(graph, "<script>.a&b"))
    root = ET.fromstring(picture)  # noqa: S314 - we wrote it

    assert [one.text for one in root.iter(f"{SVG}text")] == ["a", "table of the lake", "id", "x", "y", "g", "s",
                                                             "<script>", "table", "a&b"]  # fmt: skip
    assert not list(root.iter(f"{SVG}script"))
    assert [one.get("class") for one in root.iter(f"{SVG}g") if one.get("class") == "column asked"] == ["column asked"]
    assert [one.find(f"{SVG}title").text for one in root.iter(f"{SVG}path")] == ["a.x → <script>.a&b: identity"]  # type: ignore[union-attr]


def test_a_page_stands_alone_and_says_what_is_not_known(build: Build) -> None:
    page = as_html(build("CREATE VIEW v AS SELECT * FROM 'gone.csv'"), title="Lineage of <v>")

    assert "Lineage of &lt;v&gt;" in page
    assert "not all columns of v are known" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


def test_graphviz_reads_what_we_write(build: Build, tmp_path: Path) -> None:
    text = as_dot(build('CREATE TABLE "odd | {name}" AS SELECT x AS "q""r" FROM a WHERE y > 1;' + SQL))

    assert 'label="<rows> p|<c0> id|<c1> v|<c2> y"' in text
    assert "style=dashed" in text
    if shutil.which("dot") is None:
        pytest.skip("needs Graphviz to read it")
    subprocess.run(["dot", "-Tsvg", "-o", tmp_path / "out.svg"], input=text, text=True, check=True)


def test_a_long_name_stays_in_its_box_with_both_of_its_ends(build: Build) -> None:
    name = f"data/{'deliveries_of_' * 6}2024-05.csv"
    graph = build(f"CREATE TABLE t AS SELECT movieId, title AS name FROM '{name}'")

    drawn = ET.fromstring(as_svg(graph, title="x"))  # noqa: S314 - our own
    text = next(one for one in drawn.iter(f"{SVG}text") if "…" in (one.text or ""))

    assert text.text is not None
    assert (text.text[:5], text.text[-11:]) == ("data/", "2024-05.csv")
    assert 20 + 8.5 * len(text.text) <= lay_out(graph).boxes[f"file:{name}"].width
    columns = graph.nodes[f"file:{name}"].columns
    assert [column.name for column in columns.values()] == ["movieId", "title"]
