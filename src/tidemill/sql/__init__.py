"""Text to typed statement to bound statement to engine SQL; the table of ML functions. Pure, no I/O."""
