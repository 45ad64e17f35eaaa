"""Generated pages are fresh, everything there is stands in the docs, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.pages import FENCE, ROOT

from tidemill.cli.main import COMMANDS
from tidemill.core import errors
from tidemill.core.errors import TidemillError
from tidemill.core.settings import SETTINGS
from tidemill.model_types.table import ALL_MODEL_TYPES
from tidemill.sql.functions import ML_FUNCTIONS
from tidemill.testing.reference import pages
from tidemill.warehouse.control.log_tables import LOG_TABLES
from tidemill.warehouse.control.system.read import TABLES

REFERENCE = ROOT / "docs" / "reference"
MARKDOWN = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("examples/**/*.md"))]
HAND_WRITTEN = [page for page in MARKDOWN if page.name not in pages() and page.name != "CHANGELOG.md"]
LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)")
WEAK = re.compile(r"\b(?:simply|just|obviously|of course|easily)\b", re.IGNORECASE)


@pytest.mark.parametrize("name", pages())
def test_a_generated_page_is_fresh(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == pages()[name], "run: make docs"


def prose() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in HAND_WRITTEN)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_shown_at_work(command: str) -> None:
    assert f"tidemill {command}" in prose()


@pytest.mark.parametrize("setting", [setting.name for setting in SETTINGS])
def test_every_setting_is_documented(setting: str) -> None:
    assert f"`{setting}`" in (REFERENCE / "settings.md").read_text(encoding="utf-8")


def test_every_error_code_is_documented() -> None:
    page = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TidemillError)]
    assert [kind.code for kind in kinds if kind is not TidemillError and f"`{kind.code}`" not in page] == []


def test_every_error_stands_in_the_drawing() -> None:
    drawing = errors.__doc__ or ""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TidemillError)]
    assert [kind.__name__ for kind in kinds if kind.__name__ not in drawing] == []


@pytest.mark.parametrize("table", [*TABLES, *LOG_TABLES])
def test_every_system_table_is_documented(table: str) -> None:
    page = (REFERENCE / "system-tables.md").read_text(encoding="utf-8")
    assert f"## tidemill.{table}\n" in page


def test_every_model_type_and_function_stands_in_the_reference() -> None:
    page = (REFERENCE / "bigquery-ml.md").read_text(encoding="utf-8")
    assert [row.name for row in ALL_MODEL_TYPES if f"### {row.name}\n" not in page] == []
    assert [name for name in ML_FUNCTIONS if f"[{name}](" not in page] == []


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_something_that_is_there(page: Path) -> None:
    broken = []
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", HAND_WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_prose_does_without_words_that_belittle(page: Path) -> None:
    assert WEAK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))) == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = LINK.findall(page.read_text(encoding="utf-8"))
        todo += [
            target / "README.md" if target.is_dir() else target
            for link in links
            if "://" not in link and (target := (page.parent / link.partition("#")[0]).resolve()).exists()
        ]
    assert [str(page.relative_to(ROOT)) for page in MARKDOWN if page not in seen] == []


def test_what_a_setting_takes_is_what_it_is_read_as() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()

    assert "| `enabled` | `true` | true or false |" in page
    assert '| `send` | `["opened", "widened", "worsened", "reopened", "resolved"]` | a list of texts |' in page
    assert "| `shares` | `[0.01, 0.05, 0.25, 0.5]` | a list of numbers |" in page


def test_an_option_that_can_be_said_no_to_is_listed_with_its_no() -> None:
    assert "| `--collect`, `--no-collect` |" in (ROOT / "docs" / "reference" / "cli.md").read_text()
