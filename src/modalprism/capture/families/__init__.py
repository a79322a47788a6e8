"""Adapters of families of models; docs/adapters.md describes how to write one."""
