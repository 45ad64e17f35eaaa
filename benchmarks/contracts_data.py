"""The table of the 40 checks: a key, ten numbers, six strings of 5 to 1,000 values, two times, a label."""

from __future__ import annotations

from pathlib import Path

from benchmarks.common import OUT, PYTHON, prepare

SIZES = (5, 10, 50, 100, 500, 1000)
# Hashes of the row's number stand for chance: the same rows everywhere, made by the engine itself.
_CHANCE = "(hash(i * 64 + {0}) / 18446744073709551616.0)"


def table(rows: int) -> Path:
    """The path of the table of so many rows, of the values that c3 may have for 0; made if it is not there."""
    path = OUT / "data" / f"contracts_{rows}.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        prepare([PYTHON, "-c", f"import duckdb; duckdb.execute({_copy(rows, path)!r})"])
    return path


def _copy(rows: int, path: Path) -> str:
    dim = "SELECT format('c3_{:04d}', i) AS c3 FROM range(100) AS r (i)"
    query = f"SELECT {', '.join(_columns())} FROM range({rows}) AS r (i)" if rows else dim
    return f"COPY ({query}) TO '{path}' (COMPRESSION zstd, COMPRESSION_LEVEL 1)"


def _columns() -> list[str]:
    u = [_CHANCE.format(k) for k in range(24)]
    normal = f"sqrt(-2 * ln({u[0]} + 1e-12)) * cos(6.283185307179586 * {u[1]})"
    numbers = [normal, f"50 + 10 * {normal}", f"-2 * ln({u[2]} + 1e-12)", f"exp(3 + {normal})", u[3]]
    numbers += [f"-2 * ln({u[4]} * {u[5]} + 1e-12)", f"-5 + 3 * {normal}", f"floor(100 * {u[6]})"]
    numbers += [f"floor(8 * {u[7]})", f"sqrt({u[8]})"]
    columns = ["i AS id"]
    for k, number in enumerate(numbers):
        value = f"({number})::DOUBLE" if k < 4 else f"CASE WHEN {u[9 + k % 3]} >= 0.02 THEN ({number})::DOUBLE END"
        columns.append(f"{value} AS n{k}")
    for k, size in enumerate(SIZES):
        word = f"format('c{k}_{{:04d}}', floor({size} * {u[12 + k]} * {u[12 + k]})::INT)"
        columns.append(f"{word} AS c{k}" if k < 4 else f"CASE WHEN {u[18]} >= 0.02 THEN {word} END AS c{k}")
    columns += [f"make_timestamp((1.6e15 + 1e14 * {u[19 + k]})::BIGINT) AS t{k}" for k in range(2)]
    return [*columns, f"({u[21]} < 0.3)::TINYINT AS label"]
