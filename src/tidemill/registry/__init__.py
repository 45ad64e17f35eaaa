"""The model is kept: versions, artifacts by digest, lineage."""
