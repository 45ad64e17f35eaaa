"""The lines of a text file, decoded."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from tidemill.core.errors import SourceError
from tidemill.sources.delimited.survey import Survey
from tidemill.sources.raw_bytes import open_bytes


def text_lines(path: Path, survey: Survey, *, skip: int) -> Iterator[str]:
    """The lines of a file, without the newline at their ends; bytes not of its encoding become lone surrogates.

    Raises
    ------
    SourceError
        A text in UTF-16 or UTF-32 is cut or damaged.
    """
    utf8 = _is_utf8(survey.encoding)
    with open_bytes(path) as file:
        text = io.TextIOWrapper(
            file,
            encoding="utf-8-sig" if utf8 else survey.encoding,
            errors="strict" if survey.encoding.startswith("utf-") and not utf8 else "surrogateescape",
            newline="\r" if survey.newline == "\r" else "\n",
        )
        try:
            for number, line in enumerate(text):
                if number >= skip:
                    yield line.rstrip("\n") if survey.newline != "\r" else line.removesuffix("\r")
        except UnicodeError as error:
            raise SourceError(f"{path.name} is not {survey.encoding} text to its end: {error}") from error
        finally:
            text.detach()


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
