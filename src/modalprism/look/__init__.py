"""How results look: the atoms' colours, how numbers are written, tables without form, figures.

A leaf of the house: it draws and lays out plain values and tidy rows, and knows neither sample nor
model nor study. So a decomposition, an analysis and a profile can show themselves in a notebook in
the same language as the reports, which import this room too and add tables, pages and sentences.

Matplotlib is imported where something is drawn, and not before.
"""
