"""Plain data as YAML, a small part of it: block mappings and lists, and scalars that no reader takes for another type.

A text is bare only when it cannot be anything but that text; every other is in double quotes, with escapes for what
YAML does not let stand there.

References
----------
YAML 1.2.2, sections 5.1, 5.7 and 7.3.1. https://yaml.org/spec/1.2.2/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
# YAML 1.1 readers take these for booleans and nothing.
_WORDS = {"true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"}
_NOT_PRINTED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def yaml_text(*documents: Mapping[str, Any]) -> str:
    """Write documents, one after another."""
    return "".join("\n".join(["---", *(_lines(document) if document else ["{}"]), ""]) for document in documents)


def _lines(value: Any) -> Iterator[str]:
    """The lines of a mapping or a list that is not empty."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(f"{_scalar(str(key))}:", item)
    else:
        for item in value:
            if _is_block(item):
                first, *rest = _lines(item)
                yield f"- {first}"
                yield from (f"  {line}" for line in rest)
            else:
                yield f"- {_scalar(item)}"


def _entry(head: str, item: Any) -> Iterator[str]:
    if not _is_block(item):
        yield f"{head} {_scalar(item)}"
        return
    yield head
    yield from (f"  {line}" for line in _lines(item))


def _is_block(value: Any) -> bool:
    return isinstance(value, Mapping | Sequence) and not isinstance(value, str) and len(value) > 0


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json.dumps(value, allow_nan=False)
    if isinstance(value, str):
        if _BARE.fullmatch(value) and value.lower() not in _WORDS:
            return value
        return _NOT_PRINTED.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(value, ensure_ascii=False))
    if isinstance(value, Mapping | Sequence) and not value:
        return "{}" if isinstance(value, Mapping) else "[]"
    raise TypeError(f"{type(value).__name__} has no form in YAML here")
