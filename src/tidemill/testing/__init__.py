"""Contract suites, shipped for us and for people who add warehouses, model types and stores."""
