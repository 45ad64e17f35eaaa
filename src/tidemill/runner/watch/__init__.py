"""A deployment is watched: windows are measured in the lake, judged once, and what they say is written down."""
