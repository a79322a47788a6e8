"""Figures, tables without form and written numbers for results.

This package draws and lays out plain values and tidy rows; it knows no sample, model or study. A
decomposition, an analysis and a profile show themselves in a notebook through it, and reports use
it too and add pages, files and sentences.

Matplotlib is imported where something is drawn, and not before.
"""
