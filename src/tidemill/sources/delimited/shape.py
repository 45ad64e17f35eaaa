"""The shape of a delimited text: its delimiter and quotes, whether it has a header, and the columns' names."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tidemill.core.errors import SourceError, Where
from tidemill.core.names import name_key
from tidemill.sources.delimited.records import Record, Shape, fields_of, fits, read_records

DELIMITERS = (",", ";", "\t", "|")
# Quote and escape character, and the text that must occur before they are thought of.
QUOTES = (
    ('"', '"', re.compile("")),
    ('"', "\\", re.compile(r'\\"')),
    ("'", "'", re.compile(r"^[^\"]*[,;\t|\n]'[^\"]*$")),
)
# A character that no text has: a file of one column is read with it, so that its commas stay.
NO_DELIMITER = "\x1f"
LOOKED_AT = 2_000
MANY_SHORT = 10
FEW_SHORT = 0.05  # of the rows
ENOUGH = 0.75  # of the rows must have one width, else a character does not delimit
ENOUGH_WITH_HEADER = 0.5  # when the first line has that width too


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person says of a file's shape; None where nothing is said."""

    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header: bool | None = None
    skip: int = 0
    short: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """A shape, and how well the first rows fit it."""

    shape: Shape
    share: float
    records: tuple[Record, ...]

    @property
    def least(self) -> float:
        """The share from which it is believed."""
        first = self.records[0]
        return ENOUGH_WITH_HEADER if fits(first.fields, first.text, self.shape) else ENOUGH


def find_shape(head: str, said: Said, *, name: str, cut: bool) -> Shape:
    """The delimiter and the quotes under which most rows have one width.

    Parameters
    ----------
    head
        The text the file begins with.
    name
        The file's name, for errors and for what its ending says.
    cut
        Whether the file goes on after the head.

    Raises
    ------
    SourceError
        The lines before the header have another shape than the rest.
    """
    lines = head_lines(head, skip=said.skip, cut=cut)
    delimiters = [said.delimiter] if said.delimiter is not None else list(DELIMITERS)
    if ".tsv" in name.lower():
        delimiters.sort(key=lambda one: one != "\t")
    tries = [_try(lines, delimiter, quotes, said) for delimiter in delimiters for quotes in _quotes(said, lines)]
    # More rows of one width first, then more columns; of equal ones the first.
    split = [one for one in tries if one.shape.width > 1 and one.share >= one.least]
    if not split:
        return _one_column(lines, said)
    best = max(split, key=lambda one: (round(one.share, 3), one.shape.width))
    _refuse_preamble(best, said, name)
    return best.shape


def head_lines(head: str, *, skip: int, cut: bool) -> list[str]:
    """The first lines of a text, without one that may be cut in the middle."""
    lines = head.splitlines(keepends=False) if "\n" not in head else head.replace("\r\n", "\n").split("\n")
    if cut or (lines and not lines[-1]):
        lines = lines[:-1] if len(lines) > 1 else lines
    return lines[skip : skip + LOOKED_AT]


def with_header(shape: Shape, said: Said, lines: Sequence[str], *, typed: bool | None) -> Shape:
    """Decide whether the first row is a header.

    Parameters
    ----------
    typed
        Whether the first row's fields are values of the types that the rows below have; None when all are text.
    """
    if said.header is not None:
        return replace(shape, header=said.header)
    if typed is not None:
        return replace(shape, header=not typed)
    rows = [record for record in read_records(lines, shape) if not record.reason]
    first = fields_of(rows[0].text, shape) if rows else None
    if not first or len(rows) == 1:
        return replace(shape, header=True)
    # Nothing else tells a header from a row when all is text: the words of a header do not come again below it.
    below = Counter((fields_of(row.text, shape) or [""])[0] for row in rows[1:])
    return replace(shape, header=below[first[0]] < 2)


def names_of(lines: Sequence[str], shape: Shape, *, name: str) -> tuple[str, ...]:
    """The columns' names: those of the header, or made ones.

    Raises
    ------
    SourceError
        Two columns have one name.
    """
    made = len(str(shape.width - 1))
    if not shape.header or not lines:
        return tuple(f"column{number:0{made}}" for number in range(shape.width))
    record = next(read_records(lines, replace(shape, width=max(shape.width, 2))), None)
    fields = (fields_of(record.text, shape) if record else None) or []
    names = [field.strip() for field in fields[: shape.width]]
    names = [field or f"column{number:0{made}}" for number, field in enumerate(names)]
    _refuse_twins(names, record.text if record else "", name, line=shape.skip + 1)
    return tuple(names)


def _quotes(said: Said, lines: Sequence[str]) -> Iterable[tuple[str, str]]:
    if said.quote is not None:
        return ((said.quote, said.escape if said.escape is not None else said.quote),)
    text = "\n".join(lines)
    return tuple((quote, said.escape or escape) for quote, escape, sign in QUOTES if sign.search(text))


def _try(lines: Sequence[str], delimiter: str, quotes: tuple[str, str], said: Said) -> _Try:
    """Read the first rows in one way: the width most of them have, and their share."""
    shape = Shape(delimiter=delimiter, quote=quotes[0], escape=quotes[1], skip=said.skip, short=said.short, width=2)
    records = tuple(read_records(lines, shape))
    widths = Counter(record.fields for record in records)
    if not records:
        return _Try(shape=replace(shape, width=1), share=0.0, records=())
    usual = max(widths) if said.short else widths.most_common(1)[0][0]
    shapes = [replace(shape, width=width) for width in dict.fromkeys((records[0].fields, usual)) if width]
    if _ends_early(records, widths):
        shapes.append(replace(shape, width=records[0].fields, short=True))
    tries = [_Try(shape=one, share=_share(records, one), records=records) for one in shapes]
    return max(tries, key=lambda one: one.share, default=_Try(shape=shape, share=0.0, records=records))


def _ends_early(records: Sequence[Record], widths: Counter[int]) -> bool:
    """Whether many rows end one field before the header does: a habit of their writer, where a few are a fault."""
    width = records[0].fields
    short = widths[width - 1]
    return max(widths) == width and min(widths) == width - 1 and short >= max(MANY_SHORT, FEW_SHORT * len(records))


def _share(records: Sequence[Record], shape: Shape) -> float:
    return sum(record.fields > 0 and fits(record.fields, record.text, shape) for record in records) / len(records)


def _one_column(lines: Sequence[str], said: Said) -> Shape:
    """A file whose lines have no delimiter in common."""
    delimiter = said.delimiter if said.delimiter is not None else NO_DELIMITER
    quote = said.quote if said.quote is not None else '"'
    shape = Shape(delimiter=delimiter, quote=quote, escape=quote, skip=said.skip, width=1, short=said.short)
    if said.quote is None and any(record.reason for record in read_records(lines, shape)):
        return replace(shape, quote="", escape="")
    return shape


def _refuse_preamble(best: _Try, said: Said, name: str) -> None:
    """Lines of another shape before the header are a title, not rows: a person says how many to pass over."""
    before = list(itertools.takewhile(lambda record: not fits(record.fields, record.text, best.shape), best.records))
    if not before or said.short or len(before) == len(best.records):
        return
    first = before[0]
    rest = best.records[len(before)].line + said.skip
    width = len(fields_of(first.text, best.shape) or [""])
    raise SourceError(
        f"line {first.line + said.skip} of {name} has {width} field{'s' * (width != 1)},"
        f" most rows have {best.shape.width}",
        where=Where(file=name, line=first.line + said.skip, column=1, text=first.text[:200]),
        hint=f"if the header stands on line {rest}, say so: FROM read_csv('FILE', skip = {rest - 1})",
        file=name,
        options={"skip": rest - 1},
    )


def _refuse_twins(names: Sequence[str], text: str, file: str, *, line: int) -> None:
    keys = [name_key(name) for name in names]
    twins = [name for name, key in zip(names, keys, strict=True) if keys.count(key) > 1]
    if not twins:
        return
    column = text.casefold().rfind(twins[0].casefold()) + 1
    raise SourceError(
        f"{file} has two columns named {twins[0]}"
        + (f" and {twins[1]}: they differ only in case" if twins[1] != twins[0] else ""),
        where=Where(file=file, line=line, column=max(1, column), length=len(twins[0]),
                    text=text if len(text) < 200 else ""),
        hint="rename one of them in the file's first line, or name them all: FROM read_csv('FILE', skip = 1,"
        " header = false, names = ['...'])",
        columns=sorted(set(twins)),
    )  # fmt: skip
