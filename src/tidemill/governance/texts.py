"""Values of a person in texts and JSON: found as whole words, and taken out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

ERASED = "[erased]"


class Words:
    """Texts that are looked for as whole words, in any letter case."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(sorted({text for text in texts if text}, key=lambda text: (-len(text), text)))
        each = "|".join(map(re.escape, self.texts)) or r"(?!)"
        self._pattern = re.compile(rf"(?<!\w)(?:{each})(?!\w)", re.IGNORECASE)

    def __bool__(self) -> bool:
        return bool(self.texts)

    def stand_in(self, text: str) -> bool:
        """Whether one of them stands in a text."""
        return self._pattern.search(text) is not None

    def out_of(self, text: str) -> str:
        """A text without them; JSON stays JSON."""
        if text[:1] in "[{" and self.stand_in(text):
            try:
                return json.dumps(self._walked(json.loads(text)), ensure_ascii=False, separators=(",", ":"))
            except ValueError:
                pass  # it only begins like JSON
        return self._pattern.sub(ERASED, text)

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
