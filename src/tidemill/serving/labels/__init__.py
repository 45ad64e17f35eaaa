"""What came true: labels from HTTP, tables and files, joined with the answers they are for.

``joined`` is the one relation that every metric reads (``tidemill.outcomes``), now or as of a time; ``maturity`` says
which answers have the labels they are going to have, ``affected`` which windows of time news have touched.
"""
