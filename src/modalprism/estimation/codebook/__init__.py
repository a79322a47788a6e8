"""The codebook estimator: embeddings → codes → tables, with the tables' bias taken away."""
