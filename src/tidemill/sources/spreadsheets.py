"""Excel sheets as one relation: the whole used range, dates as dates, whole numbers as whole numbers.

The engine's reader stops at the first empty row, takes the width of the first row for that of the sheet, and the type
of a column from the cell under its name. So it is told the range, and asked for text; types are told from all cells.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.etree import ElementTree

from tidemill.core.errors import SourceError, TidemillError
from tidemill.core.names import did_you_mean, quote_name, quote_text
from tidemill.sources.delimited.cells import find_types
from tidemill.sources.delimited.columns import EXACT_DOUBLE, Column
from tidemill.sources.delimited.dates import Known
from tidemill.sources.files import first_row, rows

if TYPE_CHECKING:
    from tidemill.sources.bad_rows import BadRow
    from tidemill.sources.files import Reader

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
FIRST_DAY, FIRST_DAY_1904 = "1899-12-30", "1904-01-01"
NUMBERS = ("BIGINT", "UBIGINT", "DOUBLE", "DECIMAL")
NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One sheet of a workbook.

    Parameters
    ----------
    first
        The number of its first row with a filled cell, from 1; 0 when it has none.
    rows, columns
        The number of its last row and column with a filled cell.
    in_first
        How many cells of its first row are filled.
    """

    name: str
    first: int
    rows: int
    columns: int
    in_first: int


class SheetRead:
    """Excel files that are read as one relation: one sheet of each.

    Raises
    ------
    SourceError
        A file is no workbook, has no such sheet, or a title above its header.
    """

    bad_rows: tuple[BadRow, ...] = ()
    bad_count = 0

    def __init__(self, paths: Sequence[tuple[Path, str]], options: Mapping[str, Any], reader: Reader) -> None:
        self._reader = reader
        self._options = dict(options)
        self._notes: list[str] = []
        self._queries = [self._query(path, shown) for path, shown in paths]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how they are read."""
        return tuple(self._notes)

    def sql(self) -> str:
        """The relation, as a query."""
        return " UNION ALL BY NAME ".join(self._queries)

    def may_mend(self, error: TidemillError) -> bool:
        """Never: all cells were looked at."""
        del error
        return False

    def look_closer(self) -> None:
        """Nothing is left to look at."""

    def _query(self, path: Path, shown: str) -> str:
        told = {key: value for key, value in self._options.items() if key in ("sheet", "header", "normalize_names")}
        names, early = _sheet_names(path, shown)
        wanted = str(told.get("sheet", names[0]))
        if wanted not in names:
            raise SourceError(f"{shown} has no sheet {wanted}", hint=did_you_mean(wanted, names), file=shown)
        if len(names) > 1 and "sheet" not in told:
            others = ", ".join(names[1:])
            self._notes.append(f"{shown}: sheet {wanted} is read, not {others}; sheet = '...' names another")
        area = self._options.get("range") or self._area(path, shown, wanted)
        arguments = [
            quote_text(str(path)),
            f"sheet = {quote_text(wanted)}",
            f"range = {quote_text(str(area))}",
            f"header = {str(told.get('header', True)).lower()}",
            "stop_at_empty = false",
        ]
        raw = f"read_xlsx({', '.join(arguments)}, all_varchar = true)"
        if self._options.get("all_varchar"):
            return f"SELECT * FROM {raw}"
        natural = rows(
            self._reader, f"SELECT column_name, column_type FROM (DESCRIBE FROM read_xlsx({', '.join(arguments)}))"
        )
        kept = self._reader.materialise(f"SELECT * FROM {raw}")
        columns = find_types(self._reader, kept, [str(name) for name, _ in natural], Known(types={}))
        day = FIRST_DAY_1904 if early else FIRST_DAY
        self._tell_rounded(kept, [column.name for column in columns if column.type.startswith(NUMBERS)])
        made = [
            sql
            for column, (name, type_) in zip(columns, natural, strict=True)
            if (sql := self._value(kept, column, str(name), str(type_), day))
        ]
        filled = " OR ".join(f"{quote_name(str(name))} IS NOT NULL" for name, _ in natural)
        replaced = f" REPLACE ({', '.join(made)})" if made else ""
        return f"SELECT *{replaced} FROM {raw} WHERE {filled}"

    def _tell_rounded(self, kept: str, names: Sequence[str]) -> None:
        """A workbook holds numbers as DOUBLE: what was typed beyond 2^53 was rounded before it came here."""
        if not names:
            return
        texts = (quote_name(name) for name in names)
        tests = ", ".join(f"bool_or(abs(TRY_CAST({text} AS DOUBLE)) >= {EXACT_DOUBLE})" for text in texts)
        found = first_row(self._reader, f"SELECT {tests} FROM {kept}")
        self._notes += [
            f"column {name} has numbers above 2^53, of which Excel keeps 15 digits: the last ones may not be what was"
            " typed; such numbers need to be text in the workbook"
            for name, long in zip(names, found, strict=True)
            if long
        ]

    def _area(self, path: Path, shown: str, name: str) -> str:
        sheet = _measure(path, name)
        if not sheet.rows:
            raise SourceError(f"sheet {name} of {shown} is empty", hint="name another: sheet = '...'", file=shown)
        if sheet.in_first < sheet.columns and "header" not in self._options:
            below = f"A{sheet.first + 1}:{_letters(sheet.columns)}{sheet.rows}"
            raise SourceError(
                f"row {sheet.first} of sheet {name} of {shown} has {sheet.in_first} filled"
                f" cell{'s' * (sheet.in_first != 1)}, the sheet has {sheet.columns} columns",
                hint="if it is a title, say where the header is:"
                f" FROM read_xlsx('FILE', sheet = '{name}', range = '{below}')",
                file=shown,
                options={"sheet": name, "range": below},
            )
        return f"A{sheet.first}:{_letters(sheet.columns)}{sheet.rows}"

    def _value(self, kept: str, column: Column, name: str, natural: str, day: str) -> str:
        """How the text of a cell becomes its value; '' when it stays as it is."""
        quoted = quote_name(name)
        if natural in ("DATE", "TIMESTAMP", "TIME"):
            return self._date(kept, name, natural, day)
        if natural == "BOOLEAN" and column.type in ("BIGINT", "BOOLEAN"):
            return f"CAST({quoted} AS BOOLEAN) AS {quoted}"
        self._notes += [column.note] if column.note else []
        if column.type == "VARCHAR":
            return ""
        return f"{column.value(quoted)} AS {quoted}"

    def _date(self, kept: str, name: str, natural: str, day: str) -> str:
        """A date is kept as the number of days since a day: a cell that is no number was typed as text."""
        quoted = quote_name(name)
        number = f"regexp_full_match({quoted}, {quote_text(NUMBER)})"
        texts, parts = first_row(
            self._reader,
            f"SELECT count(*) FILTER (NOT {number}), count(*) FILTER (TRY_CAST({quoted} AS DOUBLE) % 1 <> 0)"
            f" FROM {kept}",
        )
        micros = f"CAST(round(TRY_CAST({quoted} AS DOUBLE) * 86400000) AS BIGINT) * 1000"
        stamp = f"(TIMESTAMP {quote_text(day)} + to_microseconds({micros}))"
        type_ = natural if natural == "TIME" else "TIMESTAMP" if parts else "DATE"
        value = f"CAST({stamp} AS {type_})"
        if texts:
            self._notes.append(f"column {name} stays text: {texts:,} of its cells are no dates")
            value = f"CASE WHEN {number} THEN CAST({value} AS VARCHAR) ELSE {quoted} END"
        return f"{value} AS {quoted}"


def _sheet_names(path: Path, shown: str) -> tuple[list[str], bool]:
    """The names of a workbook's sheets, in order, and whether it counts days from 1904."""
    with _opened(path, shown) as book:
        root = ElementTree.parse(book.open("xl/workbook.xml")).getroot()  # noqa: S314 - expat expands no bombs
    facts = root.find(f"{MAIN}workbookPr")
    early = facts is not None and facts.get("date1904") in ("1", "true")
    return [str(sheet.get("name")) for sheet in root.iter(f"{MAIN}sheet")], early


def _measure(path: Path, name: str) -> Sheet:
    """Where the filled cells of a sheet are."""
    first = last = width = in_first = 0
    with _opened(path, path.name) as book, book.open(_place(book, name)) as file:
        for number, cells in _filled_rows(file):
            if not first:
                first, in_first = number, len(cells)
            last, width = number, max(width, *cells)
    return Sheet(name=name, first=first, rows=last, columns=width, in_first=in_first)


def _filled_rows(file: IO[bytes]) -> Iterator[tuple[int, list[int]]]:
    """Numbers of the rows that have filled cells, and of the columns of those."""
    number = 0
    for _, row in ElementTree.iterparse(file):  # noqa: S314 - expat expands no bombs
        if row.tag != f"{MAIN}row":
            continue
        number = int(row.get("r") or number + 1)
        cells = []
        for place, cell in enumerate(row.iter(f"{MAIN}c"), start=1):
            if any(len(part.text or "") or len(part) for part in cell):
                letters = re.match(r"[A-Z]+", cell.get("r") or "")
                cells.append(_number(letters[0]) if letters else place)
        if cells:
            yield number, cells
        row.clear()


def _place(book: zipfile.ZipFile, name: str) -> str:
    """The file of the archive that has a sheet."""
    sheets = ElementTree.parse(book.open("xl/workbook.xml")).getroot().iter(f"{MAIN}sheet")  # noqa: S314
    link = next(sheet.get(LINK) for sheet in sheets if sheet.get("name") == name)
    links = ElementTree.parse(book.open("xl/_rels/workbook.xml.rels")).getroot()  # noqa: S314
    target = next(str(one.get("Target")) for one in links if one.get("Id") == link)
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _opened(path: Path, shown: str) -> zipfile.ZipFile:
    try:
        book = zipfile.ZipFile(path)
        book.getinfo("xl/workbook.xml")
    except (zipfile.BadZipFile, KeyError) as error:
        raise SourceError(
            f"{shown} is no Excel workbook, or is cut", hint="fetch it again, or save it as .xlsx", file=shown
        ) from error
    return book


def _letters(number: int) -> str:
    """The letters of a column: 1 is A, 27 is AA."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
