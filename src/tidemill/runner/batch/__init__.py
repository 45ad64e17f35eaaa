"""Batches of rows scored by one version: chunk by chunk, so that a killed job goes on where it stood."""
