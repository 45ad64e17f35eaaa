"""By hand: one file into another with the engine alone (load.py SOURCE TARGET); the endings say the formats."""

import sys

import duckdb

source, target = sys.argv[1:]
options = " (FORMAT parquet, COMPRESSION zstd)" if target.endswith(".parquet") else " (HEADER)"
duckdb.connect().execute(f"COPY (SELECT * FROM '{source}') TO '{target}'{options}")
