"""Checks of relations that must hold for a study's own models, stores and estimator."""

from modalprism.validation.finding import (
    VALIDATION_FILE,
    VALIDATION_TABLE,
    Finding,
    Rest,
    Validation,
)
from modalprism.validation.validate import validate, validate_stores

__all__ = [
    "VALIDATION_FILE",
    "VALIDATION_TABLE",
    "Finding",
    "Rest",
    "Validation",
    "validate",
    "validate_stores",
]
