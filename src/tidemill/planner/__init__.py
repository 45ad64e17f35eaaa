"""Statements and known state become steps with fingerprints and reasons. Pure, no I/O."""
