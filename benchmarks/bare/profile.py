"""A full profile by hand: ``python profile.py FILE [summarize]``.

One wide aggregate with distinct counts and quantiles, a histogram of 20 bars a number, the ten most frequent values
of each text, and the correlation of each pair of numbers, in DuckDB.
"""

import sys

import duckdb


def main(file: str) -> None:
    con = duckdb.connect()
    columns = con.execute(f"DESCRIBE FROM '{file}'").fetchall()
    numbers = [name for name, type_, *_ in columns if type_ == "DOUBLE"]
    texts = [name for name, type_, *_ in columns if type_ == "VARCHAR"]
    times = [name for name, type_, *_ in columns if type_ == "TIMESTAMP"]
    items = ["count(*)", "count(id)", "min(id)", "max(id)", "avg(label)", "approx_count_distinct(id)"]
    head = len(items)
    functions = ("min", "max", "count", "avg", "stddev", "skewness", "approx_count_distinct")
    items += [f"{function}({name})" for name in numbers for function in functions]
    items += [f"approx_quantile({name}, [0.05, 0.25, 0.5, 0.75, 0.95])" for name in numbers]
    items += [f"{one}({name})" for name in times for one in ("count", "min", "max", "approx_count_distinct")]
    found = con.execute(f"SELECT {', '.join(items)} FROM '{file}'").fetchone()
    count = len(found)
    for at, name in enumerate(numbers):
        low, high = found[head + at * len(functions) : head + at * len(functions) + 2]
        bar = f"CAST(floor(({name} - {low}) / {(high - low) / 20 or 1}) AS TINYINT)"
        count += len(con.execute(f"SELECT {bar}, count(*) FROM '{file}' GROUP BY 1").fetchall())
    for name in texts:
        groups = f"SELECT {name}, count(*) AS n FROM '{file}' GROUP BY 1"
        count += len(con.execute(f"SELECT *, count(*) OVER () FROM ({groups}) ORDER BY n DESC LIMIT 10").fetchall())
    pairs = [f"corr({one}, {other})" for at, one in enumerate(numbers) for other in numbers[at + 1 :]]
    count += len(con.execute(f"SELECT {', '.join(pairs)} FROM '{file}'").fetchone())
    print(f"{count} figures")


if __name__ == "__main__":
    if sys.argv[2:] == ["summarize"]:
        print(len(duckdb.connect().execute(f"SUMMARIZE FROM '{sys.argv[1]}'").fetchall()))
    else:
        main(sys.argv[1])
