"""Two sets of rows are compared, column by column: what moved, how far, and whether chance does as much."""
