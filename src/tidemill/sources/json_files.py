"""JSON files as one relation: types and keys told from all rows, lines that are no JSON kept apart.

The engine tells the columns from the first 20,480 rows, and leaves out a key that comes later. So it is asked to look
at all of them, which reads a file twice. Where it takes large whole numbers for DOUBLE, which rounds them, the column
is read as text and made what it is; where one line is no object, it makes one column of all lines: each is looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.errors import SourceError, TidemillError
from tidemill.core.names import quote_name, quote_text
from tidemill.sources.bad_rows import SHOWN_BAD_ROWS, BadRow, BadRowsError
from tidemill.sources.delimited.cells import find_types
from tidemill.sources.delimited.dates import Known
from tidemill.sources.files import first_row, rows
from tidemill.sources.patterns import quote_file
from tidemill.sources.raw_bytes import is_compressed, open_bytes

if TYPE_CHECKING:
    from tidemill.sources.files import CopyFolder, Reader

LONG = r"[:\[,]\s*-?(\d{17,}|9\d{15})\s*[,\]}]"  # in JSON's text: a whole number that a DOUBLE may not have

NUMBER = r"\s*:\s*-?([0-9.]+)"  # behind a key
DIGITS = 17  # of a DOUBLE
ONE_A_LINE = "a JSON file is an array of objects, or has one object on each line"


@dataclass(slots=True)
class _File:
    path: Path
    shown: str
    place: Path


class JsonRead:
    """JSON files that are read as one relation: an array of objects, or one object a line.

    Raises
    ------
    SourceError
        A file is empty, or a compressed one is cut.
    """

    def __init__(
        self, paths: Sequence[tuple[Path, str]], reader: Reader, *, scratch: CopyFolder, max_bad_rows: int | None
    ) -> None:
        self._files = [_File(path, shown, path) for path, shown in paths]
        self._reader = reader
        self._scratch = scratch
        self._limit = max_bad_rows
        self._told = max(SHOWN_BAD_ROWS, max_bad_rows or 0)
        self._looked = False
        self._found = ""
        self.notes: tuple[str, ...] = ()
        self._bad: list[BadRow] = []
        self.bad_count = self._good = 0
        for file in self._files:
            if is_compressed(file.path):
                with open_bytes(file.path) as data:
                    while data.read(1 << 20):
                        pass  # the engine takes a cut file as it comes
            if file.path.stat().st_size == 0:
                raise SourceError(f"{file.shown} is empty", hint="give a file with at least one row", file=file.shown)

    @property
    def bad_rows(self) -> tuple[BadRow, ...]:
        """Lines that are no JSON objects."""
        return tuple(self._bad)

    def sql(self) -> str:
        """The relation, as a query.

        Raises
        ------
        SourceError
            As `look_closer`.
        """
        if not self._found:
            try:
                self._found = self._find()
            except TidemillError as error:
                if not self.may_mend(error):
                    raise
                self.look_closer()
                self._found = self._find()
        return self._found

    def _find(self) -> str:
        """Look at the types that the engine tells, and go round those that would lose something."""
        plain = f"SELECT * FROM {self._read('sample_size = -1')}"
        types = {
            str(name): str(type_)
            for name, type_ in rows(self._reader, f"SELECT column_name, column_type FROM (DESCRIBE {plain})")
        }
        if list(types) == ["json"] and not self._looked:
            self.look_closer()
            return self._find()
        rounded = [name for name, type_ in types.items() if "DOUBLE" in type_]
        numbers = [name for name in rounded if types[name] == "DOUBLE"]
        nested = [name for name in rounded if types[name] != "DOUBLE"]
        if not rounded or list(types) == ["json"]:
            return plain
        texts = self._read(_columns(dict.fromkeys(rounded, "VARCHAR")))
        known = Known(types={}, decimal=".")
        made = {
            column.name: column
            for column in (find_types(self._reader, texts, numbers, known) if numbers else ())
            if column.type != "DOUBLE"
        }
        kept = self._with_long_numbers(texts, nested)
        rounded = self._with_long_fractions([name for name in numbers if name not in made])
        self.notes = tuple(
            f"column {name} is DOUBLE, which rounds its fractions of more than 17 digits" for name in rounded
        )
        if not made and not kept:
            return plain
        self.notes = (
            *self.notes,
            *(column.note for column in made.values() if column.note),
            *(f"column {name} is JSON: as numbers its long ones would be rounded" for name in kept),
        )
        casts = [f"CAST({quote_name(name)} AS {column.type}) AS {quote_name(name)}" for name, column in made.items()]
        told = types | dict.fromkeys(made, "VARCHAR") | dict.fromkeys(kept, "JSON")
        replaced = f" REPLACE ({', '.join(casts)})" if casts else ""
        return f"SELECT *{replaced} FROM {self._read(_columns(told))}"

    def _with_long_numbers(self, texts: str, names: Sequence[str]) -> list[str]:
        """The nested columns with a whole number above 2^53 in them."""
        if not names:
            return []
        tests = ", ".join(f"bool_or(regexp_matches({quote_name(name)}, '{LONG}'))" for name in names)
        return [
            name
            for name, long in zip(names, first_row(self._reader, f"SELECT {tests} FROM {texts}"), strict=True)
            if long
        ]

    def _with_long_fractions(self, names: Sequence[str]) -> list[str]:
        """The columns with a number of more digits than a DOUBLE tells apart, leading zeros left out.

        The engine rounds such a number even where it is asked for text: only the row as a whole has its digits.
        """
        if not names:
            return []
        tests = []
        for name in names:
            key = re.escape(json.dumps(name, ensure_ascii=False))
            number = f"regexp_extract(json, {quote_text(key + NUMBER)}, 1)"
            tests.append(f"bool_or(length(replace(ltrim({number}, '0.'), '.', '')) > {DIGITS})")
        places = ", ".join(quote_file(file.place) for file in self._files)
        relation = f"read_json_objects([{places}]) WHERE regexp_matches(json, '[0-9.]{{{DIGITS + 1}}}')"
        found = first_row(self._reader, f"SELECT {', '.join(tests)} FROM {relation}")
        return [name for name, long in zip(names, found, strict=True) if long]

    def _read(self, options: str) -> str:
        places = ", ".join(quote_file(file.place) for file in self._files)
        return f"read_json([{places}], {options}, union_by_name = true)"

    def may_mend(self, error: TidemillError) -> bool:
        """Whether an error is about a line that is no JSON."""
        said = f"{error.message} {error.facts.get('engine', '')}"
        return not self._looked and "JSON" in said

    def look_closer(self) -> None:
        """Read files of one object a line by line; an array is one text, of which nothing is left when it is broken.

        Raises
        ------
        SourceError
            There are more bad lines than may be, or a file that is an array is no JSON.
        """
        self._looked, self._found = True, ""
        for number, file in enumerate(self._files):
            with open_bytes(file.path) as data:
                array = data.read(1 << 16).lstrip().startswith(b"[")
            if not array:
                self._mend(file, self._scratch() / f"{number}.ndjson")
        if self._limit is not None and self.bad_count > self._limit:
            raise BadRowsError.of(self._bad, self.bad_count, self._limit, good=self._good, advice=ONE_A_LINE)

    def _mend(self, file: _File, copy: Path) -> None:
        good = 0
        copy.parent.mkdir(parents=True, exist_ok=True)
        with open_bytes(file.path) as data, copy.open("wb") as out:
            for number, line in enumerate(data, start=1):
                if not line.strip():
                    continue
                reason = _no_object(line)
                if not reason:
                    good += 1
                    out.write(line if line.endswith(b"\n") else line + b"\n")
                    continue
                self.bad_count += 1
                if len(self._bad) < self._told:
                    raw = line.decode("utf-8", "backslashreplace").rstrip("\r\n")[:1_000_000]
                    self._bad.append(BadRow(file=file.shown, line=number, column="", reason=reason, raw=raw))
        if not good:
            raise SourceError(
                f"{file.shown} is not JSON: {self._bad[0].reason}",
                hint=ONE_A_LINE,
                file=file.shown,
            )
        self._good += good if self.bad_count else 0
        file.place = copy


def _columns(types: Mapping[str, str]) -> str:
    return f"columns = {{{', '.join(f'{quote_text(name)}: {quote_text(type_)}' for name, type_ in types.items())}}}"


def _no_object(line: bytes) -> str:
    try:
        value = json.loads(line.rstrip())
    except UnicodeDecodeError as error:
        return f"its byte {line[error.start]:#04x} is not UTF-8"
    except json.JSONDecodeError as error:  # its own text counts lines in this one
        return f"it is not JSON: {error.msg} at character {error.colno}"
    except ValueError as error:
        return f"it is not JSON: {error}"
    return "" if isinstance(value, dict) else "it is JSON, but no object"
