"""Local web pages of a folder of runs: find, watch, open, download and compare them.

The pages read and never write. `make_app` makes the application, `serve` runs it on this machine's
own address; sentences about a run come from `modalprism.reports`.
"""

from modalprism.serve.application import make_app
from modalprism.serve.server import serve

__all__ = ["make_app", "serve"]
