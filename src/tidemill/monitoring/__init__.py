"""The answers are watched: windows, drift, quality with and without labels, and what is worth an alert."""
