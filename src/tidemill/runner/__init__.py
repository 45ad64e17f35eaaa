"""Carries out plan steps by calling the stations; binds ML functions to code."""
