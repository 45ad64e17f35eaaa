"""Rows become features: TRANSFORM and automatic preprocessing, fitted once, the same in serving."""
