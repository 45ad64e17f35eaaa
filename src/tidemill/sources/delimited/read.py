"""Delimited files as one relation of the engine: found options, types that lose nothing, bad rows kept apart.

A read begins with one look at the bytes of each file and types from the first rows, guarded (`cells`). When the engine
meets a row or a cell that is not as it should be, `look_closer` reads all rows one by one, once: bad rows are told with
their lines, types are told from all rows, and the relation then reads without surprises.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.errors import SourceError, TidemillError
from tidemill.core.names import name_key, quote_name, quote_text
from tidemill.sources.bad_rows import SHOWN_BAD_ROWS, BadRow, BadRowsError
from tidemill.sources.delimited.cells import find_types
from tidemill.sources.delimited.columns import GUARD, Column
from tidemill.sources.delimited.dates import FORM_OPTIONS, Known
from tidemill.sources.delimited.layout import Layout, look
from tidemill.sources.delimited.mend import BadCell, mend
from tidemill.sources.delimited.request import NO_LIMIT, Request
from tidemill.sources.files import first_row, rows
from tidemill.sources.patterns import quote_file

if TYPE_CHECKING:
    from tidemill.sources.files import CopyFolder, Reader

SAMPLE_ROWS = 20_480
HEADER_ROWS = 200  # below the first one, whose types tell whether it is a header
# Files with no more bytes together are looked at whole at once: it takes less than a tenth of a second.
SMALL_BYTES = 4_000_000
LINE_BYTES = 2_000_000  # the engine's own limit

# What the engine says of rows that are not as they should be.
TROUBLE = re.compile(
    rf"CSV Error|Error when sniffing|CSV Parser|{GUARD}|Invalid unicode|Maximum line size", re.IGNORECASE
)


@dataclass(slots=True, kw_only=True)
class _File:
    """One file: its layout, the copy that is read in its place, and its bad rows."""

    layout: Layout
    copy: Path | None = None
    longest: int = 0
    bad: tuple[BadRow, ...] = ()
    bad_count: int = 0
    good: int = 0

    @property
    def place(self) -> Path:
        return self.copy or self.layout.path


class DelimitedRead:
    """Delimited files that are read as one relation.

    Parameters
    ----------
    paths
        The files and their names as a person knows them.
    reader
        A session to look at rows with.
    scratch
        Gives a folder for copies, which must stay until the relation was read.
    max_bad_rows
        More bad rows make it fail; None takes any number, and tells the first ones.
    """

    def __init__(
        self,
        paths: Sequence[tuple[Path, str]],
        request: Request,
        reader: Reader,
        *,
        scratch: CopyFolder,
        max_bad_rows: int | None,
    ) -> None:
        self._request = request
        self._reader = reader
        self._scratch = scratch
        limit = request.max_bad_rows if request.max_bad_rows is not None else max_bad_rows
        self._limit = NO_LIMIT if limit is None else limit
        self._told = SHOWN_BAD_ROWS if limit is None else max(limit, SHOWN_BAD_ROWS)
        self._sure = False
        self._closer = False
        looked = [look(path, shown, request) for path, shown in paths]
        self._files = [_File(layout=layout) for layout in looked if layout.shape is not None]
        if not self._files:
            raise SourceError(f"{paths[0][1]} is empty", hint="give a file with a header or a row", file=paths[0][1])
        for file in self._files:
            if file.layout.needs_copy:
                self._mend(file, {})
        self._settle_headers()
        told = [file.layout for file in self._files] + [layout for layout in looked if layout.shape is None]
        self._notes = list(dict.fromkeys(note for layout in told for note in layout.notes))
        self._names = self._common_names()
        self._known = self._what_is_known()
        self._small = sum(file.layout.survey.bytes for file in self._files) <= SMALL_BYTES
        if self._small or request.all_rows:
            self.look_closer()
            return
        try:
            sample = self._reader.materialise(self._texts(sample=True))
        except TidemillError as error:
            if not self.may_mend(error):
                raise
            self.look_closer()
            return
        self._columns = find_types(self._reader, sample, self._names, self._known)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how the files are read."""
        return (*self._notes, *(column.note for column in self._columns if column.note))

    @property
    def forms(self) -> dict[str, str]:
        """The reader's options that say how dates are written, where that was found and is one for all of them."""
        if any(column.advice for column in self._columns):  # text that one of the options would make dates of
            return {}
        forms = {
            option: {column.form for column in self._columns if column.type == type_}
            for type_, option in FORM_OPTIONS.items()
        }
        return {option: next(iter(found)) for option, found in forms.items() if len(found) == 1 and found != {""}}

    @property
    def bad_rows(self) -> tuple[BadRow, ...]:
        """The rows that were not loaded."""
        return tuple(row for file in self._files for row in file.bad)

    @property
    def bad_count(self) -> int:
        """How many rows were not loaded."""
        return sum(file.bad_count for file in self._files)

    def sql(self) -> str:
        """The relation, as a query."""
        parts = []
        for layout, files in self._groups():
            made = [
                f"{sql} AS {quote_name(column.name)}"
                for column in self._columns
                if column.name in layout.names and (sql := column.sql(guarded=not self._sure))
            ]
            replaced = f" REPLACE ({', '.join(made)})" if made else ""
            parts.append(self._select(layout, files, f"*{replaced}", self._reader_types()))
        return " UNION ALL BY NAME ".join(parts)

    def may_mend(self, error: TidemillError) -> bool:
        """Whether an error is about rows of delimited files that were not all looked at."""
        said = f"{error.message} {error.facts.get('engine', '')}"
        return not self._closer and TROUBLE.search(said) is not None

    def look_closer(self) -> None:
        """Look at every row, so that the relation reads without surprises.

        Raises
        ------
        SourceError
            There are more bad rows than may be.
        """
        self._closer = True
        try:
            self._find_all()
        except TidemillError as error:
            if TROUBLE.search(f"{error.message} {error.facts.get('engine', '')}") is None:
                raise
            for file in self._files:
                if file.copy is None:
                    self._mend(file, {})
            self._find_all()
        self._sure = True
        self._require_few()

    def _find_all(self) -> None:
        texts = self._texts(sample=False)
        # Types take several scans: few rows are kept for them, many are read again.
        relation = self._reader.materialise(texts) if self._small else f"({texts})"
        self._columns = find_types(self._reader, relation, self._names, self._known)
        declared = [column for column in self._columns if column.declared and column.type != "VARCHAR"]
        for file in self._files if declared else ():
            cells = self._bad_cells(file, declared)
            if cells:
                self._mend(file, cells)

    def _bad_cells(self, file: _File, declared: Sequence[Column]) -> dict[int, BadCell]:
        """Cells that are none of their declared types, by the number of their row among those that fit."""
        present = [column for column in declared if column.name in file.layout.names]
        tests = {
            column.name: f"{(name := quote_name(column.name))} IS NOT NULL AND NOT {column.fits(name)}"
            for column in present
        }
        if not tests:
            return {}
        written = {one.name: f"{one.type} written {one.form}" if one.form else one.type for one in present}
        texts = self._select(file.layout, [file], "*", dict.fromkeys(file.layout.names, "VARCHAR"))
        bad = " OR ".join(f"({test})" for test in tests.values())
        shown = ", ".join(f"CASE WHEN {test} THEN {quote_name(name)} END" for name, test in tests.items())
        count = first_row(self._reader, f"SELECT count(*) FILTER ({bad}) FROM ({texts})")[0]
        if not count:
            return {}
        numbered = f"SELECT row_number() OVER () - 1 AS tm_row, * FROM ({texts})"
        found: dict[int, BadCell] = {}
        for row, *cells in rows(self._reader, f"SELECT tm_row, {shown} FROM ({numbered}) WHERE {bad}"):
            place = next(number for number, cell in enumerate(cells) if cell is not None)
            column = present[place]
            found[int(row)] = BadCell(column=column.name, reason=f"{cells[place][:60]!r} is not {written[column.name]}")
        return found

    def _mend(self, file: _File, cells: dict[int, BadCell]) -> None:
        """Write a copy of a file without its bad rows."""
        layout = file.layout
        assert layout.shape is not None  # noqa: S101 - empty files are left out before
        copy = self._scratch() / f"{self._files.index(file)}.csv"
        done = mend(
            layout.path,
            copy,
            layout.survey,
            layout.shape,
            shown=layout.shown,
            cells=cells,
            keep=self._told,
        )
        file.copy, file.bad, file.bad_count, file.longest = copy, done.bad, done.bad_count, done.longest
        file.good = done.rows if done.bad_count else 0

    def _require_few(self) -> None:
        if self.bad_count > self._limit:
            good = sum(file.good for file in self._files)
            raise BadRowsError.of(self.bad_rows, self.bad_count, self._limit, good=good, advice=self._advice())

    def _advice(self) -> str:
        """What to do where most rows of the files that have bad ones are bad."""
        name = self.bad_rows[0].column
        column = next((column for column in self._columns if column.name == name), None)
        if column is None:
            return "see how the fields are separated, and say it: FROM read_csv('FILE', delim = ';', skip = 1)"
        return column.advice or f"most cells of {name} are not {column.type}: declare what they are; VARCHAR holds all"

    def _settle_headers(self) -> None:
        """See of each file whether it begins with a header, which takes types to tell."""
        for file in self._files:
            layout = file.layout
            if layout.header_is_open:
                file.layout = layout.with_header(self._first_is_typed(file))

    def _first_is_typed(self, file: _File) -> bool | None:
        """Whether the first row's fields are values of the types below it; None when all below is text."""
        layout = file.layout
        assert layout.shape is not None  # noqa: S101
        below = replace(layout, shape=replace(layout.shape, header=True))
        names = [f"c{number}" for number in range(layout.shape.width)]
        below = replace(below, names=tuple(names))
        texts = self._select(below, [file], "*", dict.fromkeys(names, "VARCHAR"), sample=HEADER_ROWS)
        try:
            columns = find_types(self._reader, f"({texts})", names, Known(types={}, decimal=self._request.decimal))
        except SourceError:
            return None  # ragged rows: they are met again, and told, when types are found
        typed = [(column, name) for column, name in zip(columns, names, strict=True) if column.type != "VARCHAR"]
        if not typed:
            return None
        first = layout.first_fields()
        values = ", ".join(quote_text(field) for field in first)
        tests = " AND ".join(f"({name} = '' OR {replace(column, declared=True).fits(name)})" for column, name in typed)
        listed = ", ".join(names[: len(first)])
        return bool(first_row(self._reader, f"SELECT {tests} FROM (VALUES ({values})) AS t({listed})")[0])

    def _common_names(self) -> list[str]:
        """The columns of all files: the same ones, in whatever order, unless they are put together by name."""
        first = self._files[0].layout
        names = {name_key(name): name for name in first.names}
        for file in self._files[1:]:
            here = {name_key(name): name for name in file.layout.names}
            if self._request.by_name:
                names = {**here, **names}
                continue
            lacking = [name for key, name in names.items() if key not in here]
            extra = [name for key, name in here.items() if key not in names]
            if lacking or extra:
                parts = [f"has no {', '.join(lacking)}"] if lacking else []
                parts += [f"has {', '.join(extra)} besides"] if extra else []
                raise SourceError(
                    f"{file.layout.shown} {' and '.join(parts)}, compared with {first.shown}",
                    hint="read them apart, or put them together by name, with NULL for what is lacking:"
                    " FROM read_csv('PATTERN', union_by_name = true)",
                    file=file.layout.shown,
                )
        order = [*first.names, *(name for name in names.values() if name not in first.names)]
        for file in self._files:  # one spelling for all files
            file.layout = replace(file.layout, names=tuple(names[name_key(name)] for name in file.layout.names))
        return order

    def _what_is_known(self) -> Known:
        request = self._request
        by_key = {name_key(name): name for name in self._names}
        said: dict[str, str] = {}
        for key, type_ in request.types.items():
            name = by_key.get(name_key(key)) if isinstance(key, str) else self._names[key : key + 1]
            if name:
                said[name if isinstance(name, str) else name[0]] = type_
        if said:
            casts = ", ".join(f"CAST(NULL AS {type_}) AS c{number}" for number, type_ in enumerate(said.values()))
            found = rows(self._reader, f"SELECT column_type FROM (DESCRIBE SELECT {casts})")
            said = {name: str(type_) for name, (type_,) in zip(said, found, strict=True)}
        return Known(
            types=said, decimal=request.decimal, dates=request.dates, stamps=request.stamps, texts=request.texts
        )

    def _groups(self) -> list[tuple[Layout, list[_File]]]:
        """Files that one call of the engine's reader can read, in order."""
        groups: list[tuple[Layout, list[_File]]] = []
        for file in self._files:
            before = groups[-1][0] if groups else None
            alike = before is not None and before.shape == file.layout.shape and before.names == file.layout.names
            if alike and not self._request.file_name:
                groups[-1][1].append(file)
            else:
                groups.append((file.layout, [file]))
        return groups

    def _texts(self, *, sample: bool) -> str:
        """All rows, or the first of some files, with every cell as text."""
        groups = self._groups()
        if sample:
            # First and last files, and some between: what the others hold is guarded.
            files = self._files if len(self._files) <= 8 else self._files[:: len(self._files) // 7]
            groups = [(file.layout, [file]) for file in files]
        most = SAMPLE_ROWS if sample else 0
        return " UNION ALL BY NAME ".join(
            self._select(layout, files, "*", dict.fromkeys(layout.names, "VARCHAR"), sample=most)
            for layout, files in groups
        )

    def _reader_types(self) -> dict[str, str]:
        return {
            column.name: "VARCHAR" if column.as_text(guarded=not self._sure) else column.type
            for column in self._columns
        }

    def _select(
        self, layout: Layout, files: Sequence[_File], items: str, types: dict[str, str], *, sample: int = 0
    ) -> str:
        request, shape = self._request, layout.shape
        assert shape is not None  # noqa: S101
        columns = ", ".join(f"{quote_text(name)}: {quote_text(types[name])}" for name in layout.names)
        copied = files[0].copy is not None
        skip = 0 if copied else shape.skip
        longest = max((file.longest for file in files), default=0)
        arguments = [
            "auto_detect = false",
            f"delim = {quote_text(shape.delimiter)}",
            f"quote = {quote_text(shape.quote)}",
            f"escape = {quote_text(shape.escape)}",
            f"header = {str(shape.header).lower()}",
            f"columns = {{{columns}}}",
            *([f"skip = {skip}"] if skip else []),
            *(["null_padding = true"] if shape.short else []),
            *([f"max_line_size = {longest + 1000}, buffer_size = {4 * longest}"] if longest > LINE_BYTES else []),
            *([f"decimal_separator = {quote_text(request.decimal)}"] if request.decimal != "." else []),
            *([f"nullstr = [{', '.join(map(quote_text, ('', *request.nulls)))}]"] if request.nulls else []),
        ]
        places = ", ".join(quote_file(file.place) for file in files)
        named = f", {quote_text(layout.shown)} AS {quote_name(request.file_name)}" if request.file_name else ""
        limit = f" LIMIT {sample}" if sample else ""
        select = f"SELECT {items}{named} FROM read_csv([{places}], {', '.join(arguments)}){limit}"
        return f"({select})" if sample else select
