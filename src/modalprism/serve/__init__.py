"""A folder of runs → local web pages: find, watch, open, download and compare them.

The room reads and never writes. `make_app` gives the pages as an application, `serve` puts it on
this machine's own address. What a page says of a run is said by `modalprism.reports`.
"""

from modalprism.serve.application import make_app
from modalprism.serve.server import serve

__all__ = ["make_app", "serve"]
