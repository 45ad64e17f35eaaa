"""Features become a model: split, weigh, fit."""
