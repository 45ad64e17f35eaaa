"""Lineage events in the form that catalogues read (OpenLineage): what a run read and wrote, and how it ended."""
