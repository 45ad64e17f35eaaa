"""Text files of rows and fields (CSV, TSV): looked at as bytes, read by the engine, bad rows kept apart."""
