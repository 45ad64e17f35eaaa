"""What was answered, kept: segments beside the server, carried into the lake exactly once.

A worker appends each answer to a segment file before it sends it (`writer`); a collector moves whole records from the
segments into the lake (`collect`), where ``tidemill.predictions`` and ``tidemill.labels`` show them.
"""
