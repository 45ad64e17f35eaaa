"""The CLEAN functions: what people write by hand to clean rows, as rows of a table and plain SQL.

`rows` says what each takes and gives, with examples; the modules beside it write the SQL. Nothing is installed in the
database: a call is replaced by its SQL when a query is bound.
"""
