"""By hand: one row out of a Parquet file with the engine alone (erase.py SOURCE TARGET ID)."""

import sys

import duckdb

source, target, who = sys.argv[1:]
engine = duckdb.connect()
rows = engine.execute(f"SELECT count(*) FROM '{source}' WHERE CAST(id AS VARCHAR) = '{who}'").fetchall()[0][0]
assert rows, "nobody of that id"
rest = f"SELECT * FROM '{source}' WHERE CAST(id AS VARCHAR) <> '{who}'"
engine.execute(f"COPY ({rest}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
