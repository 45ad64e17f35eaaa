"""Unit tests of SQL: given rows go into a statement, in a throwaway engine, and what comes out is compared."""
