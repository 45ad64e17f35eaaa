"""A profile of a table: what each column holds, how columns go together, and what is worth a warning."""
