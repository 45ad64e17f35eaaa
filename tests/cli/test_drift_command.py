"""tidemill drift: any two of tables, views, files and queries; for people, for programs, and as a page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tidemill.analysis.drift.report import head_lines
from tidemill.cli.main import run_command
from tidemill.project import open_project

EVIL = "<img src=x onerror=alert(1)> `a` **b**"


@pytest.fixture
def months(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tidemill.toml").write_text("")
    (tmp_path / "sql").mkdir()
    rows = "SELECT i AS id, hash(i + {}) % 1000 / 10 AS price, ['a', 'b'][i % 2 + 1] AS kind FROM range(2000) t(i)"
    (tmp_path / "sql" / "months.sql").write_text(
        f"CREATE TABLE may AS {rows.format(0)};\nCREATE TABLE june AS {rows.format(5000)};\n"
        "CREATE VIEW july AS SELECT price + 20 AS price, id, [1] AS list,"
        " CASE WHEN id % 20 = 0 THEN 'new ' || kind ELSE kind END AS kind FROM june;\n"
    )
    monkeypatch.chdir(tmp_path)
    assert run_command(["run"]) == 0
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run_command(["drift", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("months")
def test_nothing_is_told_of_tables_that_are_alike(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "may", "june")

    assert out.startswith("may: 2,000 rows, 2,000 rows against it\n  none of 3 columns moved farther than chance")


@pytest.mark.usefixtures("months")
def test_a_boolean_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "SELECT price > 50 AS dear, price FROM may", "SELECT price > 30 AS dear, price FROM june")

    assert {tuple(line.split()[:2]) for line in out.splitlines()} >= {("dear", "bool"), ("price", "number")}


@pytest.mark.usefixtures("months")
def test_what_moved_is_told_first_and_with_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "May", "SELECT * EXCLUDE (id) FROM july")

    lines = out.splitlines()
    assert lines[1:4] == [
        "  2 of 2 columns moved: price, kind",
        "  only in the reference: id",
        "  not in the reference: list",
    ]
    assert [line.split()[0] for line in lines[5:8]] == ["column", "price", "kind"]
    assert lines[7].endswith(" new values")
    assert max(map(len, lines)) <= 100


def test_two_files_need_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.csv").write_text("x,y\n" + "1,a\n2,b\n" * 50)
    Path("new.csv").write_text("x,y\n" + "1,a\n2,\n" * 50)

    found = json.loads(printed(capsys, "old.csv", "new.csv", "--json"))

    assert found["moved"] == ["y"]
    y = next(column for column in found["columns"] if column["name"] == "y")
    missing = next(one for one in y["distances"] if one["name"] == "missing")
    assert (missing["value"], y["moved"]) == (0.5, ["values", "missing"])
    assert y["reference"]["counts"] == [50, 50]


def test_a_file_is_compared_with_a_table_from_another_folder(
    months: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = months / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    Path("new.csv").write_text("id,price\n" + "".join(f"{i},{i % 100}\n" for i in range(500)))

    assert "only in the reference: kind" in printed(capsys, "may", "new.csv")


@pytest.mark.usefixtures("months")
def test_the_page_stands_alone_and_shows_data_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    query = f"SELECT price, '{EVIL}' AS \"{EVIL}\" FROM may"

    out = printed(capsys, query, f"{query} WHERE price > 50", "--html", "out.html")
    assert "columns moved" in out
    assert out.splitlines()[-1] == f"wrote {Path('out.html').absolute()}"
    page = Path("out.html").read_text()

    assert "<img" not in page
    assert "<script" not in page
    HTMLParser().feed(page)
    assert page.count('class="panel"') == 2
    # A query is no title: its text stands below.
    assert "<title>a query against a query</title>" in page
    assert page.count("<pre><code>SELECT price") == 2


def test_many_columns_that_moved_are_a_sentence_and_a_p_value_is_one_word(
    months: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, by in (("then.csv", 1), ("now.csv", 9)):
        rows = "".join(",".join([str(row % 50 * by)] * 10) + "\n" for row in range(500))
        Path(name).write_text(",".join(f"c{number}" for number in range(10)) + "\n" + rows)

    printed(capsys, "then.csv", "now.csv", "--html", "out.html")
    page = Path("out.html").read_text()

    assert "10 of 10 columns moved: c0, c1, c2, c3, c4, c5, c6, c7 and 2 more.</p>" in page
    assert page.count("&lt;\u00a00.0001") >= 10
    assert "&lt; 0.0001" not in page


@pytest.mark.usefixtures("months")
def test_a_name_that_is_nothing_is_told_with_its_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["drift", "may", "jun"]) == 5
    assert "did you mean june" in capsys.readouterr().err


def test_no_rows_are_no_error_and_no_all_clear(months: Path) -> None:
    with open_project(months) as project:
        empty = project.drift("may", "SELECT * FROM may WHERE false")

    assert empty.moved == ()
    assert empty.rows == 0
    assert head_lines(empty) == ["SELECT * FROM may WHERE false has no rows: nothing is compared"]


def test_rows_without_a_column_in_common_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.csv").write_text("a,b\n1,2\n")
    Path("x.csv").write_text("c\n1\n")

    assert run_command(["drift", "one.csv", "x.csv"]) != 0

    err = capsys.readouterr().err
    assert "one.csv and x.csv have no column in common" in err
    assert "one.csv has a, b; x.csv has c" in err


def test_axes_name_the_bins_beside_zero_and_the_greatest_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.csv").write_text("a\n" + "".join(f"{number % 40}\n" for number in range(2000)))
    Path("new.csv").write_text("a\n" + "".join(f"{number}\n" for number in range(30, 2000)))

    assert run_command(["drift", "old.csv", "new.csv", "--html", "page.html"]) == 0

    page = Path("page.html").read_text()
    ticks = re.findall(r'class="tick"[^>]*text-anchor="end">([^<]*)<', page)
    assert ticks == ["above 39"]
    assert "e-324" not in page


@pytest.mark.usefixtures("months")
def test_a_query_may_be_longer_than_the_name_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    long = "SELECT price, kind FROM may WHERE kind <> " + " AND kind <> ".join(f"'no kind {i}'" for i in range(300))
    assert len(long) > 4096

    out = printed(capsys, long, "june")

    assert "none of 2 columns moved" in out


@pytest.mark.usefixtures("months")
def test_a_name_that_no_file_can_have_names_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("m" * 300, f"{'m' * 300}.csv", f"{'m' * 5000}/x.csv", "may\0"):
        assert run_command(["drift", name, "june"]) in (4, 5), name[:10]
        assert "TM-INTERNAL" not in capsys.readouterr().err
