"""Capture of a model's embeddings at inference: adapters, hooks, and the store on disk.

``modalprism.capture`` as an attribute is the function of `api`; ``modalprism.capture.store`` and
its like are modules of this package. ``modalprism/__init__.py`` says how both share a name.
"""
