"""Steps of a plan, carried out: a file for each kind."""
