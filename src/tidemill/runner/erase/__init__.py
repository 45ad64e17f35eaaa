"""Erasing people: asked for, taken out of every snapshot, and proved; again after a backup was put back."""
