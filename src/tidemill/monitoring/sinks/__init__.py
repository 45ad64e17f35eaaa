"""Where alerts go: one file and one row of `table.SENDERS` for each kind of sink of `core.alerting`."""
