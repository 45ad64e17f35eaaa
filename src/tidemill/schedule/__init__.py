"""Things are done by the clock: which slots are due, each begun once, by whichever scheduler comes first."""
