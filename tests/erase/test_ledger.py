"""The ledger of erasures: what is in it is durable, names nobody, and outlives processes that die while they write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tidemill.core.errors import CorruptError
from tidemill.governance.ledger import Entry, Ledger, add_entry, read_ledger, salt_of, take_back
from tidemill.governance.subject import Value, marks_of

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADD = """
import sys
from pathlib import Path
from tests.erase.test_ledger import add
for number in range(20):
    add(Path(sys.argv[1]), f"{sys.argv[2]}{number}")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "erasures.jsonl"


def add(path: Path, erasure_id: str, *, why: str = "") -> None:
    """Ask to erase Ann, under an id."""
    marks = marks_of([Value(column="Email", text="ann@example.org")], salt_of(path))
    add_entry(path, Entry(erasure_id=erasure_id, at=AT, who="bob", why=why, marks=marks))


def read(path: Path) -> Ledger:
    found = read_ledger(path)
    assert found is not None
    return found


def ids(path: Path) -> list[str]:
    return [entry.erasure_id for entry in read(path).entries]


def test_what_was_added_is_read_until_it_is_taken_back(path: Path) -> None:
    assert read_ledger(path) is None
    add(path, "e1", why="Ann asked")
    add(path, "e2")

    assert ids(path) == ["e1", "e2"]
    assert read(path).entries[0].why == "Ann asked"
    take_back(path, "e1", at=AT, who="bob")
    assert ids(path) == ["e2"]


def test_the_file_is_its_owners_alone_and_holds_no_value(path: Path) -> None:
    add(path, "e1")

    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert "ann" not in text
    assert "example" not in text
    (mark,) = json.loads(text.splitlines()[1])["of"]
    assert mark["column"] == "email"
    assert [len(one) for one in mark["digests"]] == [64]


def test_the_same_person_has_other_digests_in_another_ledger(path: Path, tmp_path: Path) -> None:
    add(path, "e1")
    add(tmp_path / "other", "e1")

    assert read(path).entries[0].marks != read(tmp_path / "other").entries[0].marks


@pytest.mark.parametrize("left", [1, 30, -3])
def test_a_line_that_a_killed_process_had_begun_is_passed_over_and_later_lines_count(path: Path, left: int) -> None:
    add(path, "e1")
    add(path, "e2", why="é")
    data = path.read_bytes()
    start = data.rindex(b"\n", 0, -1) + 1
    end = start + left if left > 0 else data.index("é".encode()) + 1  # in the middle of a letter
    path.write_bytes(data[:end])

    assert ids(path) == ["e1"]
    add(path, "e3")
    assert ids(path) == ["e1", "e3"]


def test_a_last_line_without_its_end_that_is_whole_counts(path: Path) -> None:
    add(path, "e1")
    path.write_bytes(path.read_bytes().rstrip())

    assert ids(path) == ["e1"]
    add(path, "e2")
    assert ids(path) == ["e1", "e2"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_damaged_line_is_an_error_that_names_it(path: Path, number: int) -> None:
    add(path, "e1")
    add(path, "e2")
    lines = path.read_bytes().splitlines()
    lines[number - 1] = lines[number - 1].replace(b'"', b"\xa5")
    path.write_bytes(b"\n".join(lines) + b"\n")

    with pytest.raises(CorruptError, match=f"line {number} of .*erasures.jsonl is damaged") as raised:
        read_ledger(path)

    assert "put it back from a copy" in raised.value.hint
    assert (raised.value.facts["file"], raised.value.facts["line"]) == (str(path), number)


def test_a_reason_of_several_lines_stays_on_one(path: Path) -> None:
    why = "by letter\nand by phone\u2028\x85twice"
    add(path, "e1", why=why)

    assert read(path).entries[0].why == why
    assert len(path.read_bytes().splitlines()) == 2


def test_processes_that_add_at_once_lose_no_line_and_share_the_salt(path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    adding = [subprocess.Popen([sys.executable, "-c", ADD, str(path), word], env=environment) for word in "ab"]

    assert [process.wait(timeout=60) for process in adding] == [0, 0]

    assert sorted(ids(path)) == sorted(f"{word}{number}" for word in "ab" for number in range(20))
    assert len({entry.marks for entry in read(path).entries}) == 1
