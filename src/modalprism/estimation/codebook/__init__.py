"""Codebook estimator: embeddings → codes → tables, with bias correction."""
