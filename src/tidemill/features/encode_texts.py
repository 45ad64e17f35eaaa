"""Codes of texts and of other values that a vocabulary lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import DataError
from tidemill.features.arrow import check_text, null_mask, plain, spelled, whole_numbers
from tidemill.features.values import NULL_INTEGER, read_integer

if TYPE_CHECKING:
    import pyarrow as pa

#: Looks a column up in a vocabulary: codes 1..k, 0 for unknown, k + 1 for NULL.
Codes = Callable[[Any], np.ndarray]


def coder(vocabulary: Sequence[str], kind: str) -> Codes:
    """Look values of a kind up in a vocabulary."""
    if kind == "text":
        return _text_coder(vocabulary)
    null = len(vocabulary) + 1
    if kind == "bytes":
        known = {value: i + 1 for i, value in enumerate(vocabulary)}
        return lambda array: _spelled_codes(array, known, null)
    keys = np.array([read_integer(kind, value) for value in vocabulary], dtype=np.int64)
    order = np.argsort(keys)
    ascending = keys[order]

    def codes(array: Any) -> np.ndarray:
        values = whole_numbers(array, kind)
        if not len(ascending):
            return np.where(values == NULL_INTEGER, null, 0)
        place = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
        found = np.where(ascending[place] == values, order[place] + 1, 0)
        found[values == NULL_INTEGER] = null
        return found

    return codes


def _text_coder(vocabulary: Sequence[str]) -> Codes:
    import pyarrow as pa
    import pyarrow.compute as pc

    null = len(vocabulary) + 1
    sets: dict[Any, pa.Array] = {}

    def look_up(array: pa.Array) -> np.ndarray:
        if array.type not in sets:
            sets[array.type] = pa.array(vocabulary, pa.string()).cast(array.type)
        found = pc.index_in(array, value_set=sets[array.type])
        codes: np.ndarray = pc.fill_null(found, -1).to_numpy() + 1
        return codes

    def codes(array: Any) -> np.ndarray:
        array = plain(array)
        if pa.types.is_null(array.type):
            return np.full(len(array), null)
        if pa.types.is_dictionary(array.type):
            check_text(array.type.value_type)
            known = codes(array.dictionary)
            indices = pc.fill_null(array.indices, 0).to_numpy() if len(known) else np.zeros(len(array), np.int64)
            found = known[indices] if len(known) else np.zeros(len(array), np.int64)
        else:
            check_text(array.type)
            found = look_up(array)
        mask = null_mask(array)
        if mask is not None:
            found[mask] = null
        return found

    return codes


def _spelled_codes(array: Any, known: dict[str, int], null: int) -> np.ndarray:
    encoded = plain(array).dictionary_encode()
    try:
        texts = spelled(encoded.dictionary, "bytes")
    except TypeError as error:
        raise DataError(f"bytes are expected, and the column is {array.type}") from error
    codes = np.array([null if text is None else known.get(text, 0) for text in texts] or [null], dtype=np.int64)
    found: np.ndarray = codes[encoded.indices.fill_null(0).to_numpy()]
    mask = null_mask(encoded)
    if mask is not None:
        found[mask] = null
    return found
