"""Samples → marginals and information, with calibration and intervals; knows no model."""
