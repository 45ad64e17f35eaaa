"""Tidemill against bare scripts that do the same work: ``python -m benchmarks [JOB ...] [--rounds 5] [--quick]``."""
