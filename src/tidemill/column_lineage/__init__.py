"""Which column came from which: the columns of a project as a graph, read from its SQL. Pure, no I/O."""
