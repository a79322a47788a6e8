"""Estimation from more rows than fit in memory: embeddings are read a block of rows at a time.

Probes are learnt from a random part of the rows, and read all that they have not seen; what is kept
of a row are a few numbers a class. `posterior` puts the pieces together, `Streaming` sets how much
is in memory at once, and docs/million.md says what was measured.
"""
