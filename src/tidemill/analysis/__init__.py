"""Rows are understood: profiles of tables, statistics, and the documents and charts that show them."""
