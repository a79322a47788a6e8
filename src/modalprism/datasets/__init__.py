"""Datasets: examples with their inputs, labels and groups."""
