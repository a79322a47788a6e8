"""Estimators from samples to atoms, with calibration and intervals; independent of any model."""
