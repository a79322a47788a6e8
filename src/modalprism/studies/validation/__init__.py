"""Relations that must hold of a study's own models, stores and estimator, checked one by one."""

from modalprism.studies.validation.finding import Finding, Rest
from modalprism.studies.validation.outcome import VALIDATION_FILE, VALIDATION_TABLE, Validation
from modalprism.studies.validation.validate import validate, validate_stores

__all__ = [
    "VALIDATION_FILE",
    "VALIDATION_TABLE",
    "Finding",
    "Rest",
    "Validation",
    "validate",
    "validate_stores",
]
