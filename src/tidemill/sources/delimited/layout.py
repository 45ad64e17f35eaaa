"""One delimited file, looked at: its bytes, its shape, its columns' names, and what is worth saying of them."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace
from pathlib import Path

from tidemill.core.errors import SourceError
from tidemill.sources.delimited.records import Shape, fields_of, read_records
from tidemill.sources.delimited.request import Request
from tidemill.sources.delimited.shape import NO_DELIMITER, find_shape, head_lines, names_of, with_header
from tidemill.sources.delimited.survey import Survey, survey_file
from tidemill.sources.delimited.text_lines import text_lines

_QUOTED = re.compile(r'"[^"]*(?:""[^"]*)*"')
WORDS = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What is known of a file before the engine reads it.

    Parameters
    ----------
    shown
        The file's name as a person knows it.
    shape
        None when the file is empty.
    header_is_open
        Whether it is still to be seen if the first row is a header.
    needs_copy
        Whether the engine would not read it as it was meant.
    """

    path: Path
    shown: str
    survey: Survey
    request: Request
    shape: Shape | None
    names: tuple[str, ...] = ()
    header_is_open: bool = False
    needs_copy: bool = False
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The first lines, from the header on."""
        skip = self.shape.skip if self.shape else 0
        return head_lines(self.survey.head, skip=skip, cut=self.survey.bytes > len(self.survey.head.encode()) + 3)

    def first_fields(self) -> list[str]:
        """The fields of the first row."""
        assert self.shape is not None  # noqa: S101 - asked of files that are not empty
        record = next(read_records(self.lines, self.shape))
        return (fields_of(record.text, self.shape) or [record.text])[: self.shape.width]

    def with_header(self, typed: bool | None) -> Layout:
        """The same, with the header decided (see `shape.with_header`)."""
        assert self.shape is not None  # noqa: S101
        shape = with_header(self.shape, self.request.said, self.lines, typed=typed)
        notes = self.notes
        if not shape.header:
            notes = (*notes, f"{self.shown} has no header: its columns are named column0, column1 and so on")
        names = names_of(self.lines, shape, name=self.shown)
        return replace(self, shape=shape, names=self.request.names or names, notes=notes, header_is_open=False)


def look(path: Path, shown: str, request: Request) -> Layout:
    """Look at one file.

    Raises
    ------
    SourceError
        It is no text, is damaged, has a header with twins, or lines before its header.
    """
    survey = survey_file(path, encoding=_codec(request.encoding))
    said = request.said
    empty = not survey.head.strip("\r\n\ufeff")
    if empty:
        note = (f"{shown} is empty: no rows come from it",)
        return Layout(path=path, shown=shown, survey=survey, request=request, shape=None, notes=note)
    cut = survey.bytes > len(survey.head.encode()) + 3
    shape = find_shape(survey.head, said, name=shown, cut=cut)
    notes = _notes(shown, survey, shape, request)
    if survey.odd_quotes and shape.quote == '"' and said.quote is None and _quotes_are_text(path, survey, shape):
        shape = replace(shape, quote="", escape="")
        notes.append(f"{shown}: quote marks belong to the text, as quotes they would swallow rows")
    layout = Layout(
        path=path,
        shown=shown,
        survey=survey,
        request=request,
        shape=shape,
        needs_copy=_needs_copy(path, survey, shape),
        notes=tuple(notes),
    )
    if said.header is not None or request.names:
        header = said.header if said.header is not None else False
        shape = replace(shape, header=header)
        layout = replace(layout, shape=shape)
        if request.names and len(request.names) != shape.width:
            raise SourceError(
                f"{len(request.names)} columns are named, {shown} has {shape.width}",
                hint="name them all, in the file's order",
            )
        return replace(layout, names=request.names or names_of(layout.lines, shape, name=shown))
    return replace(layout, header_is_open=True)


def _notes(shown: str, survey: Survey, shape: Shape, request: Request) -> list[str]:
    notes = []
    if not request.encoding and survey.encoding not in ("utf-8",):
        name = WORDS.get(survey.encoding, survey.encoding.upper())
        first = f" (line {survey.other_line} is the first that is not UTF-8)" if survey.other_line else ""
        doubt = "; if letters look wrong, say encoding = '...'" if survey.encoding in WORDS else ""
        notes.append(f"{shown} is read as {name}{first}{doubt}")
    if shape.short and not request.said.short:
        notes.append(f"{shown}: many rows end before column {shape.width}, the last: what is lacking is NULL")
    usual = "\t" if ".tsv" in shown.lower() else ","
    if request.said.delimiter is None and shape.delimiter not in (usual, NO_DELIMITER):
        notes.append(f"{shown}: fields are separated by {'tabs' if shape.delimiter == chr(9) else shape.delimiter}")
    if request.said.quote is None and (shape.quote, shape.escape) not in (('"', '"'), ("", "")):
        notes.append(f"{shown}: values are quoted by {shape.quote}, escaped by {shape.escape}")
    return notes


def _needs_copy(path: Path, survey: Survey, shape: Shape) -> bool:
    """Whether the engine would choke on the file, or read something else than was meant."""
    if survey.encoding != "utf-8" or survey.also or survey.nul_line or survey.newline == "mixed":
        return True
    return survey.odd_quotes and shape.quote == '"' and _swallows(path, survey, shape)


def _quotes_are_text(path: Path, survey: Survey, shape: Shape) -> bool:
    """Whether each line alone is a row, quotes or no quotes, and most quotes do not stand around a value."""
    if shape.width == 1:
        return False
    around = other = 0
    plain = replace(shape, quote="", escape="")
    for record in read_records(text_lines(path, survey, skip=shape.skip), plain):
        if record.reason:
            return False
        if shape.quote in record.text:
            values = [value for value in record.text.split(shape.delimiter) if shape.quote in value]
            sound = all(_QUOTED.fullmatch(value) for value in values)
            around, other = around + sound, other + (not sound)
    return other > around


def _swallows(path: Path, survey: Survey, shape: Shape) -> bool:
    """Whether a quote that is opened on one line and closed on another makes one row of several."""
    return any("quote" in record.reason for record in read_records(text_lines(path, survey, skip=shape.skip), shape))


def _codec(said: str) -> str:
    """The codec for an encoding as a person calls it.

    Raises
    ------
    SourceError
        There is no such encoding.
    """
    if not said:
        return ""
    try:
        name = codecs.lookup(said.strip()).name
    except LookupError:
        raise SourceError(
            f"there is no encoding {said}", hint="such as utf-8, latin-1, cp1252, cp1250, utf-16, shift_jis"
        ) from None
    return {"utf-8-sig": "utf-8", "iso8859-1": "latin-1"}.get(name, name)
