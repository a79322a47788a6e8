"""A profile's rows as readings, as the reports use them; `modalprism.look` defines them."""

from modalprism.look.reading import Reading
from modalprism.look.readings import Case, Readings, Skill

__all__ = ["Case", "Reading", "Readings", "Skill"]
