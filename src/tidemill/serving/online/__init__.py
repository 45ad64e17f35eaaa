"""One version of a model answers JSON in a server process: raw columns in, through its one graph."""
