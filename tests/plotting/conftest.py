"""The profiles and examples of the reports' tests."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_PATH = Path(__file__).parents[1] / "reports" / "conftest.py"
_SPEC = spec_from_file_location("profiles_of_reports", _PATH)
_PROFILES = module_from_spec(_SPEC)
_SPEC.loader.exec_module(_PROFILES)

demo, make_profile = _PROFILES.demo, _PROFILES.make_profile
made, webp = _PROFILES.made, _PROFILES.webp
