"""The control database: runs, steps, assets, versions, metrics, checks and leases, on SQLite or PostgreSQL."""
