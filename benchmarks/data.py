"""Seeded tables: ``python -m benchmarks.data KIND ROWS FILE``.

``mixed`` has 20 columns: an id, ten numbers, an integer, a boolean, six strings of 4 to 3,000 values, a label that
depends on them; 2 % NULLs in every feature. ``timed`` has two timestamps more,
``numbers`` the id, the numbers and the label. ``features`` has the ten numbers, the six strings and two timestamps, and
``shifted`` other such rows, with three of the numbers a tenth of a deviation higher.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.common import OUT, PYTHON, prepare

NUMBERS = tuple(f"n{i}" for i in range(10))
STRINGS = tuple(f"c{i}" for i in range(6))
PAIR = ("features", "shifted")
_SIZES = (4, 12, 50, 200, 1000, 3000)
_CHUNK = 250_000
_NULLS = 0.02


def table(kind: str, rows: int) -> Path:
    """The path of a table, which is made if it is not there."""
    path = OUT / "data" / f"{kind}_{rows}.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        prepare([PYTHON, "-m", "benchmarks.data", kind, str(rows), str(path)], folder=Path(__file__).parents[1])
    return path


def write(kind: str, rows: int, path: Path) -> None:
    import numpy as np
    import pyarrow.parquet as pq

    rng = np.random.default_rng(21 if kind == "shifted" else 20)
    unfinished = path.with_suffix(".part")
    writer = None
    for start in range(0, rows, _CHUNK):
        chunk = _chunk(rng, start, min(_CHUNK, rows - start), kind)
        writer = writer or pq.ParquetWriter(unfinished, chunk.schema, compression="zstd", compression_level=1)
        writer.write_table(chunk, row_group_size=122_880)
    assert writer is not None
    writer.close()
    unfinished.rename(path)


def _chunk(rng, start, count, kind):
    import numpy as np
    import pyarrow as pa

    def column(values):
        return pa.array(values, mask=rng.random(count) < _NULLS)

    numbers = [
        rng.normal(0, 1, count),
        rng.normal(50, 10, count),
        rng.exponential(2, count),
        rng.lognormal(3, 1, count),
        rng.random(count),
        rng.gamma(2, 2, count),
        rng.normal(-5, 3, count),
        rng.integers(0, 100, count).astype(float),
        rng.poisson(4, count).astype(float),
        rng.beta(2, 5, count),
    ]
    if kind == "shifted":
        for at, by in ((0, 0.1), (1, 1.0), (9, 0.016)):
            numbers[at] = numbers[at] + by
    codes = [np.minimum(rng.zipf(1.3, count) - 1, size - 1) for size in _SIZES]
    flag = rng.random(count) < 0.3
    whole = rng.integers(0, 1_000, count)
    z = numbers[0] + 0.05 * (numbers[1] - 50) - 0.3 * numbers[2] + 0.02 * (numbers[7] - 50)
    z += 0.5 * np.sin(codes[1]) + 0.7 * (codes[2] % 3 == 0) - 0.4 * (codes[3] % 7 == 0) + 0.3 * flag
    label = rng.random(count) < 1 / (1 + np.exp(-z))
    made = {"id": pa.array(np.arange(start, start + count))}
    made |= {name: column(values) for name, values in zip(NUMBERS, numbers, strict=True)}
    if kind in ("mixed", "timed"):
        made["i0"] = column(whole)
        made["b0"] = column(flag)
    if kind in ("mixed", "timed", *PAIR):
        for name, values, size in zip(STRINGS, codes, _SIZES, strict=True):
            words = pa.array([f"{name} value {i:04d}" for i in range(size)])
            made[name] = pa.DictionaryArray.from_arrays(column(values), words).cast(pa.string())
    if kind in ("timed", *PAIR):
        for name in ("t0", "t1"):
            seconds = 1_600_000_000 + rng.integers(0, 10**8, count)
            made[name] = pa.array(seconds * 1_000_000, pa.timestamp("us"), mask=rng.random(count) < _NULLS)
    if kind in PAIR:
        del made["id"]
        return pa.table(made)
    made["label"] = pa.array(label.astype(np.int64))
    return pa.table(made)


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
