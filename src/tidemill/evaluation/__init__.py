"""The model is judged: metrics, curves, attributions. Plain numpy on labels and scores."""
