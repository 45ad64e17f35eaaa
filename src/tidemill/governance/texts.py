"""Values of a person in texts and JSON: found as whole words, and taken out; or found by their digests."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tidemill.governance.subject import SEPARATOR, Mark

ERASED = "[erased]"

MOST_WORDS = 16
"""A value of more words and signs is not found by its digest: ann@example.org has five."""

_NOTHING = object()


class Words:
    """Texts that are looked for as whole words, in any letter case."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(sorted({text for text in texts if text}, key=lambda text: (-len(text), text)))
        each = "|".join(map(re.escape, self.texts)) or r"(?!)"
        self._pattern = re.compile(rf"(?<!\w)(?:{each})(?!\w)", re.IGNORECASE)

    def __bool__(self) -> bool:
        return bool(self.texts)

    def stand_in(self, text: str) -> bool:
        """Whether one of them stands in a text, or in a text of the JSON that it is."""
        if self._pattern.search(text) is not None:
            return True
        told = _json(text) if "\\" in text else _NOTHING  # a word may begin behind an escaped sign
        return told is not _NOTHING and self._walked(told) != told

    def out_of(self, text: str) -> str:
        """A text without them; JSON stays JSON."""
        if not self.stand_in(text):
            return text
        told = _json(text)
        if told is _NOTHING:
            return self._pattern.sub(ERASED, text)
        return json.dumps(self._walked(told), ensure_ascii=False, separators=(",", ":"))

    def _walked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._pattern.sub(ERASED, value)
        if isinstance(value, dict):
            return {self._pattern.sub(ERASED, name): self._walked(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._walked(one) for one in value]
        if isinstance(value, int | float) and not isinstance(value, bool) and self.stand_in(json.dumps(value)):
            return None
        return value


def cells_of(text: str) -> set[str]:
    """The cells of a row as a file has it, by any of the signs that part them."""
    return {cell.strip().strip("\"'") for cell in re.split(r"[,;\t|{}\[\]:]", text)}


class Known:
    """Texts of which the digests alone are known, found in longer ones: each run of words may be one."""

    def __init__(self, marks: Sequence[Mark], salt: str) -> None:
        starts = [(SEPARATOR.join((salt, mark.column, "")), (*mark.digests, *mark.shown)) for mark in marks]
        self._marks = [(hashlib.sha256(start.encode()), frozenset(digests)) for start, digests in starts]

    def found_in(self, text: str) -> set[str]:
        """Those that stand in a text, or in a text of the JSON that it is."""
        told = _json(text)
        parts = {text} if told is _NOTHING else set(_texts_of(told))
        return {run for run in {run for part in parts for run in _runs(part)} if self._is_one(run)}

    def _is_one(self, text: str) -> bool:
        data = text.encode(errors="replace")
        for start, digests in self._marks:
            found = start.copy()
            found.update(data)
            if found.hexdigest() in digests:
                return True
        return False


def _json(text: str) -> Any:
    """What a text says as JSON; `_NOTHING` where it is none."""
    if text[:1] not in ("[", "{"):
        return _NOTHING
    try:
        return json.loads(text)
    except ValueError:
        return _NOTHING  # it only begins like JSON


def _texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from _texts_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts_of(one)
    else:
        yield value if isinstance(value, str) else json.dumps(value)


def _runs(text: str) -> Iterator[str]:
    """Every run of words and signs in a text, as it stands there."""
    spans = [found.span() for found in re.finditer(r"\w+|[^\w\s]", text)]
    for place, (start, _) in enumerate(spans):
        for _, end in spans[place : place + MOST_WORDS]:
            yield text[start:end]
