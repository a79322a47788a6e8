"""Figures and tables of plain values and tidy rows, for notebooks, terminals, papers and pages.

Matplotlib is imported where something is drawn, and not before.
"""
