"""tidemill profile: tables, views, files and queries; for people, for programs, and as a page."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tidemill.cli.main import run_command

EVIL = '<img src=x onerror=alert(1)> `a` **b** "q"'


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tidemill.toml").write_text("")
    (tmp_path / "sql").mkdir()
    orders = "SELECT i AS id, ['a', 'b'][i % 2 + 1] AS kind, i * 1.5 AS price FROM range(40) t(i)"
    (tmp_path / "sql" / "orders.sql").write_text(
        f"CREATE TABLE orders AS {orders};\nCREATE VIEW cheap AS SELECT * FROM orders WHERE price < 10;\n"
    )
    monkeypatch.chdir(tmp_path)
    assert run_command(["run"]) == 0
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run_command(["profile", *arguments]) == 0
    return capsys.readouterr().out


def test_a_table_a_view_and_a_query_are_profiled(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "ORDERS").startswith(
        "orders: 40 rows, 3 columns\n  each row has its own value of id; price\n"
    )
    assert printed(capsys, "cheap").startswith("cheap: 7 rows, 3 columns\n")
    found = json.loads(printed(capsys, "-e", "SELECT kind, avg(price) AS p FROM orders GROUP BY 1", "--json"))
    assert (found["format"], found["rows"]) == (1, 2)
    assert [column["name"] for column in found["columns"]] == ["kind", "p"]


def test_a_table_of_a_connection_is_profiled(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.closing(sqlite3.connect(shop / "crm.sqlite")) as other:
        other.executescript(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO people VALUES (1, 'Ann')"
        )
    (shop / "tidemill.toml").write_text('[connections.crm]\nurl = "sqlite:///crm.sqlite"\n')

    assert printed(capsys, "crm.people").startswith("crm.people: 1 row, 2 columns\n")


def test_a_line_is_never_wider_than_a_hundred_columns(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query = f"SELECT i AS {'x' * 90}, repeat('word ', 60) || i AS y, 'ü' AS \"{'long ' * 30}\" FROM range(30) t(i)"

    lines = printed(capsys, "-e", query).splitlines()

    assert max(map(len, lines)) <= 100


def test_a_file_needs_no_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("people.csv").write_text("name;age\nAnn;NA\nBob;31\n")

    out = printed(capsys, "people.csv", "--html", "people.html")

    assert out == f"wrote {tmp_path / 'people.html'}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["people.csv", "people.html"]
    text = printed(capsys, "people.csv")
    assert "written for a missing value in this file: NA (1 cell)" in text
    assert "age     number" in text


def test_what_is_not_there_gets_a_suggestion(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["profile", "ordres"]) == 5
    assert "did you mean orders?" in capsys.readouterr().err
    assert run_command(["profile", "nothing.csv"]) != 0
    assert "does not exist" in capsys.readouterr().err
    assert run_command(["profile"]) != 0
    assert "give a table, a file or -e" in capsys.readouterr().err
    assert run_command(["profile", "-e", "DROP TABLE orders"]) != 0


class Page(HTMLParser):
    """Collects tags, attributes and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_stands_alone_and_takes_no_value_for_markup(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quoted = EVIL.replace("'", "''")
    name = EVIL.replace('"', '""')
    columns = f"i AS \"{name}\", '{quoted}' || i % 3 AS v, TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR AS t"
    query = f"SELECT {columns} FROM range(99) t(i)"

    printed(capsys, "-e", query, "--html", "page.html", "--label", "v")
    page = Page()
    page.feed(Path("page.html").read_text(encoding="utf-8"))

    assert not page.tags & {"script", "img", "link", "iframe", "code"}
    assert page.addresses == []
    assert {"svg", "table", "article"} <= page.tags
    assert "<img src=x onerror=alert(1)>" in "".join(page.texts)


def test_profiling_loads_neither_pandas_nor_scipy_nor_scikit_learn(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,x\n2,y\n")
    code = (
        "import sys\nfrom tidemill.cli.main import run_command\nrun_command(['profile', 'a.csv'])\n"
        "heavy = {'pandas', 'scipy', 'sklearn', 'xgboost', 'onnx', 'sqlglot'}\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & heavy))"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
