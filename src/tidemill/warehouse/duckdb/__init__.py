"""The warehouse on DuckDB and DuckLake: Parquet files, a SQLite catalogue, every past version."""
