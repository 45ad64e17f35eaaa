"""How well one column alone tells the classes of a label apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill.sources.column_codes import codes, is_measure, numbers, ranks

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

# A class with fewer rows than this says nothing about separation.
_LEAST_ROWS = 5


def separation(column: pa.ChunkedArray, labels: np.ndarray[Any, Any], classes: int) -> float | None:
    """Area under the ROC curve of one column, each class against the rest; the least of all classes.

    A number ranks rows as it is, upwards or downwards. Any column ranks the rows of one half by the share of the class
    that the other half has beside the same value (numbers: in the same of a hundred bins), so that nothing is judged by
    what was learnt from it. The better of the two counts. Of more than two classes the least counts: a measurement may
    honestly tell one class from the rest, a leak tells them all.

    Parameters
    ----------
    labels
        The class ordinal of each row; -1 where unknown.

    Returns
    -------
    float | None
        In [0.5, 1]; None where no class has enough rows, or the column's values cannot be compared.

    References
    ----------
    T. Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27 (2006),
    https://doi.org/10.1016/j.patrec.2005.10.010
    """
    import numpy as np
    import pyarrow as pa

    column = _plain(column)
    if column is None or pa.types.is_null(column.type):
        return None
    wanted = range(1, 2) if classes == 2 else range(classes)
    found: list[float] = []
    keys = codes(column)
    values = numbers(column) if is_measure(column) else None
    # Rows that come in turns (yes, no, yes, no) would mislead a look at every other row.
    odd = np.arange(labels.size, dtype="uint64") * np.uint64(2_654_435_761) % np.uint64(2**32) >= np.uint64(2**31)
    for ordinal in wanted:
        positive = labels == ordinal
        if min(int(positive.sum()), int((~positive).sum())) < _LEAST_ROWS:
            continue
        areas = [area_under(_shares(keys, positive, odd), positive)]
        if values is not None and not np.isnan(values).all():
            filled = np.where(np.isnan(values), np.nanmedian(values), values)
            area = area_under(filled, positive)
            areas.append(max(area, 1 - area))
        found.append(max(0.5, *areas))
    return min(found) if found else None


def area_under(values: np.ndarray[Any, Any], positive: np.ndarray[Any, Any]) -> float:
    """The chance that a positive row has the higher value of two; a tie counts half."""
    ones, zeros = int(positive.sum()), int((~positive).sum())
    above = ranks(values)[positive].sum() - ones * (ones + 1) / 2
    return float(above) / (ones * zeros)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Times as whole numbers; None for what has no order and no equality here (arrays, structs)."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_nested(kind):
        return None
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        return column.cast(pa.int32()).cast(pa.int64())
    if pa.types.is_temporal(kind):
        return column.cast(pa.int64())
    return column


def _shares(
    keys: np.ndarray[Any, Any], positive: np.ndarray[Any, Any], odd: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Per row, how often its value goes with the class in the other half; the overall share for values unseen there."""
    import numpy as np

    width = int(keys.max()) + 1
    shares = np.empty(keys.size)
    for half in (odd, ~odd):
        count = np.bincount(keys[~half], minlength=width)
        hits = np.bincount(keys[~half], weights=positive[~half], minlength=width)
        overall = float(positive[~half].mean()) if (~half).any() else 0.0
        shares[half] = np.where(count > 0, hits / np.maximum(count, 1), overall)[keys[half]]
    return shares
