"""The model answers: a loaded version scores batches of raw rows."""
