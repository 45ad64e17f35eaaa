"""PSI of each column by hand: ``python drift.py REFERENCE CURRENT``.

Twenty bins of equal width between the reference's extremes for numbers and times, a group for each text: one GROUP BY a
column and file in DuckDB.
"""

import math
import sys

import duckdb

BINS = 20


def psi(old: list[int], new: list[int]) -> float:
    n, m, k = sum(old), sum(new), len(old)
    shares = [((a + 0.5) / (n + 0.5 * k), (b + 0.5) / (m + 0.5 * k)) for a, b in zip(old, new, strict=True)]
    return sum((p - q) * math.log(p / q) for p, q in shares)


def main(reference: str, current: str) -> None:
    con = duckdb.connect()
    columns = con.execute(f"DESCRIBE FROM '{reference}'").fetchall()
    texts = [name for name, type_, *_ in columns if type_ == "VARCHAR"]
    ordered = {
        name: f"epoch_us({name})" if type_ == "TIMESTAMP" else name for name, type_, *_ in columns if name not in texts
    }
    limits = con.execute(
        "SELECT " + ", ".join(f"min({name}), max({name})" for name in ordered) + f" FROM '{reference}'"
    ).fetchone()
    found = {}
    for at, (name, value) in enumerate(ordered.items()):
        low, high = (end.timestamp() * 1e6 if value != name else float(end) for end in limits[2 * at : 2 * at + 2])
        width = (high - low) / BINS or 1
        place = f"CAST(greatest(-1, least({BINS}, floor(({value} - {low}) / {width}))) AS TINYINT)"
        sides = [
            dict(con.execute(f"SELECT {place}, count(*) FROM '{file}' GROUP BY 1").fetchall())
            for file in (reference, current)
        ]
        old, new = ([side.get(bin_, 0) for bin_ in [None, *range(-1, BINS + 1)]] for side in sides)
        found[name] = psi(old, new)
    for name in texts:
        rows = con.execute(
            f"SELECT coalesce(r.k, 0), coalesce(s.k, 0) FROM (SELECT {name} AS v, count(*) AS k FROM '{reference}'"
            f" GROUP BY 1) AS r FULL JOIN (SELECT {name} AS v, count(*) AS k FROM '{current}' GROUP BY 1) AS s"
            " ON r.v IS NOT DISTINCT FROM s.v"
        ).fetchall()
        found[name] = psi([row[0] for row in rows], [row[1] for row in rows])
    print(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
