"""Documents as Markdown and as a page: the same facts, and nothing in them is taken for markup or script."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import yaml  # type: ignore[import-untyped]

from tidemill.analysis.documents.charts import Axis, bar_chart, line_chart
from tidemill.analysis.documents.document import Bullets, Code, Document, Figure, Grid, Section, Text
from tidemill.analysis.documents.html import POLICY, as_html
from tidemill.analysis.documents.markdown import as_markdown
from tidemill.registry.card_facts import read_human

EVIL = '<script>alert("1")</script><img src=x onerror=alert(2)> | a`b'
GRID = Grid(columns=("name", EVIL), rows=((EVIL, 0.123456), ("x", None)), caption=EVIL)
WHOLE = Document(
    title=EVIL,
    lead=EVIL,
    facts=((EVIL, EVIL),),
    notices=(EVIL,),
    front={"name": EVIL, "tags": ["a: b", "#c"], "model-index": [{"name": "m", "results": []}], "empty": {}},
    sections=(
        Section(
            title=EVIL,
            blocks=(
                Text(text=f"{EVIL}\n\n- one\n- **two** and *three*, `f(*x*)`"),
                Bullets(items=(EVIL,)),
                GRID,
                Code(text=f"```\n{EVIL}", language="sql"),
                Figure(title=EVIL, svg=bar_chart(EVIL, [(EVIL, 1.0), ("b", 0.5)]), grid=GRID),
                Figure(title="line", svg=line_chart(EVIL, Axis(name=EVIL), Axis(name="y"), line=[(0, 0), (1, 1)],
                                                    dots=[(0.5, 0.5)], diagonal=True), grid=GRID),
            ),
        ),
    ),
)  # fmt: skip
VOID = {"meta", "wbr", "line", "circle", "polyline", "rect"}


class Tags(HTMLParser):
    """Collects tags and attributes, and whether they are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)
        if tag == "meta" and dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"] or ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    return tags


def test_a_page_holds_no_script_and_takes_no_text_for_markup() -> None:
    tags = read(as_html(WHOLE))

    assert tags.seen.isdisjoint({"script", "img", "iframe", "link", "object", "a", "form", "input"})
    assert not any(name.startswith("on") or name in ("src", "href", "style") for name in tags.attributes)
    assert tags.policy == POLICY
    assert "default-src 'none'" in POLICY


def test_a_page_marks_up_code_bold_and_stress_and_nothing_inside_code() -> None:
    page = as_html(WHOLE)

    assert "<li><strong>two</strong> and <em>three</em>, <code>f(*x*)</code></li>" in page


def test_the_front_matter_is_yaml_that_says_what_it_was_given() -> None:
    text = as_markdown(WHOLE)

    _, front, _ = text.split("---\n", 2)

    assert yaml.safe_load(front) == json.loads(json.dumps(WHOLE.front))


def test_markdown_keeps_texts_in_their_cells_and_out_of_markup() -> None:
    body = as_markdown(WHOLE).split("---\n", 2)[2]

    rows = [line for line in body.splitlines() if line.startswith("| ")]
    assert {len(line.replace("\\|", "").split("|")) for line in rows} == {4}
    headings = [line for line in body.splitlines() if line.startswith("#")]
    assert all("<" not in line for line in headings)
    assert "````sql\n```\n" in body
    assert "| x | - |" in body


def test_a_lone_backquote_lets_nothing_through_as_html() -> None:
    grid = Grid(columns=("class",), rows=(("a`b <img onerror=x>",),), caption="By `slice <b>")
    sections = (Section(title="Classes", blocks=(grid,)),)

    text = as_markdown(Document(title="x", lead="", sections=sections))

    assert "<img" not in text
    assert "<b>" not in text


def test_human_words_are_cut_at_their_headings() -> None:
    text = (
        "# Churn\n\nFor the weekly list.\n\n## ethical considerations\nAge.\n\n"
        "## Team\nRetention\n\n## Intended use\nMore."
    )

    found: dict[str, Any] = read_human(text)

    assert found == {
        "Intended use": "For the weekly list.\n\nMore.",
        "Ethical considerations": "Age.",
        "Team": "Retention",
    }
    assert read_human("") == {}
    assert read_human("no headings") == {"Intended use": "no headings"}
