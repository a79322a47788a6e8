"""Adapters of families of models.

`registry` maps ``config.model_type`` of a model to its adapter; a new family is a file here and a
line there, or a class that another package registers. docs/adapters.md walks through one.
"""
