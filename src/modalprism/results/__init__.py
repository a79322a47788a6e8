"""Estimates with intervals, the list of quantities, and the tidy table that holds them.

Estimators fill these types, and figures, tables and sentences read them. The package knows no
model, no dataset and no plot.
"""
