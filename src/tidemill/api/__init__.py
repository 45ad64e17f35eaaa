"""The door over HTTP: one table of routes, and everything that stands between a request and a model."""
