"""Ragged files are refused with the line; regular ones pass."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tidemill.core.errors import SourceError
from tidemill.sources.ragged import refuse_ragged


def write(folder: Path, text: str) -> Path:
    path = folder / "rows.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", ["a,b\n1,2\n3,x\n4,5,6\n", "a;b\n1;2\n\n3\n", 'a,b\n"1,2",3\n4\n'])
def test_a_row_of_another_width_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError, match="line 4" if text[1] == "," and '"' not in text else r"line [34]"):
        refuse_ragged(write(tmp_path, text))


@pytest.mark.parametrize("text", ["a,b\n1,2\n", 'a,b\n"1,\n2",3\n', "only\none\ncolumn\n", "", "a|b\n1|2\n\n"])
def test_regular_files_pass(tmp_path: Path, text: str) -> None:
    refuse_ragged(write(tmp_path, text))


def test_a_compressed_file_is_looked_at_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2,3\n"))

    with pytest.raises(SourceError, match="line 2 of rows.csv.gz has 3 fields, the first line has 2"):
        refuse_ragged(path)
