"""The control database as tables for queries: ``tidemill.runs`` and so on, a file for each subject."""
