"""The gates before traffic: pure judgements of a version on arrays and facts. `table.GATES` lists them."""
