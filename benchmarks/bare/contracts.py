"""The 40 checks by hand: ``python contracts.py FILE DIM ROWS``.

One statement: a scan for the aggregates, and a pass over the distinct values of each string column and of the key.
"""

import sys

import duckdb

RANGES = {"n0": (-10, 10), "n1": (-100, 200), "n2": (0, 100), "n3": (0, 100000), "n4": (0, 1), "n5": (0, 200)}
RANGES |= {"n6": (-50, 50), "n7": (0, 99), "n8": (0, 60), "n9": (0, 1)}
MEANS = {"n0": (-0.2, 0.2), "n1": (48, 52), "n2": (1.8, 2.2), "n4": (0.4, 0.6), "n7": (45, 55)}
NOT_NULL = ["id", "label", "t0", "t1", "n0", "n1", "n2", "n3", "c0", "c1", "c2", "c3"]
SIZES = (5, 10, 50, 100, 500, 1000)
PATTERNS = {f"c{k}": rf"^c{k}_\d{{4}}$" for k in range(6)}
VALUES = {f"c{k}": tuple(f"c{k}_{i:04d}" for i in range(SIZES[k])) for k in range(3)}


def query(source: str, dim: str, rows: int) -> str:
    tests = [f"count(*) = {rows}", "count(*) FILTER (label NOT IN (0, 1)) = 0"]
    tests += [f"count({column}) = count(*)" for column in NOT_NULL]
    tests += [f"coalesce(min({c}) >= {low} AND max({c}) <= {high}, true)" for c, (low, high) in RANGES.items()]
    tests += [f"avg({column}) BETWEEN {low} AND {high}" for column, (low, high) in MEANS.items()]
    parts = [f"SELECT {' + '.join(f'({test})::INT' for test in tests)} AS held FROM {source}"]
    parts.append(f"SELECT (count(*) = {rows})::INT FROM (SELECT DISTINCT id FROM {source} WHERE id IS NOT NULL)")
    for column, pattern in PATTERNS.items():
        own = [f"bool_and(regexp_matches({column}, '{pattern}'))::INT"]
        if column in VALUES:
            own.append(f"bool_and({column} IN {VALUES[column]})::INT")
        if column == "c3":
            own.append(f"bool_and(c3 IN (FROM {dim}))::INT")
        distinct = f"SELECT DISTINCT {column} FROM {source} WHERE {column} IS NOT NULL"
        parts.append(f"SELECT {' + '.join(own)} FROM ({distinct})")
    return f"SELECT sum(held)::INT FROM ({' UNION ALL '.join(parts)})"


def main(file: str, dim: str, rows: int) -> None:
    held = duckdb.connect().execute(query(f"'{file}'", f"'{dim}'", rows)).fetchone()[0]
    print(f"{held} held")
    sys.exit(held != 40)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
