"""New versions that somebody or something asks for: a request is a row, carried out as a run and a deploy like any."""
