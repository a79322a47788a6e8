"""The package: its version, its public names, and the function that shares a subpackage's name."""

import inspect
import pickle
import pydoc
import subprocess
import sys
from importlib import metadata

import pytest

import modalprism as mp


def python(code):
    """Run code in a new interpreter, where nothing is imported yet."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_a_version():
    assert mp.__version__ == metadata.version("modalprism")
    assert "__version__" in dir(mp)


def test_the_module_is_the_command_line():
    for module in ("modalprism", "modalprism.cli"):
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True
        )
        assert done.stdout == f"modalprism {mp.__version__}\n"


def test_every_public_name_is_there():
    for name in mp.__all__:
        assert getattr(mp, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'captures'"):
        mp.captures  # noqa: B018


def test_capture_is_a_function():
    assert inspect.isfunction(mp.capture)
    parameters = inspect.signature(mp.capture).parameters
    assert list(parameters)[:3] == ["model", "processor", "examples"]
    assert parameters["out"].kind is inspect.Parameter.KEYWORD_ONLY
    assert "Run a model on examples" in pydoc.render_doc(mp.capture)
    assert pickle.loads(pickle.dumps(mp.capture)) is mp.capture  # noqa: S301


def test_results_load_what_draws_them_when_they_draw():
    modules = (
        "import sys, modalprism.pid, modalprism.estimation.analyze, modalprism.studies.study; "
    )
    above = "('modalprism.plotting', 'modalprism.reports')"
    found = python(f"{modules} print([m for m in sys.modules if m.startswith({above})])")
    assert found == "[]\n"


IMPORTS = {
    "function": "import modalprism as mp; mp.capture",
    "from": "from modalprism import capture; assert callable(capture)",
    "package": "import modalprism.capture",
    "submodule": "import modalprism.capture.store",
    "named": "import modalprism.capture.store as s; s.EmbeddingStore",
    "from package": "from modalprism.capture import store; store.EmbeddingStore",
    "from submodule": "from modalprism.capture.store import EmbeddingStore",
    "by name": "import importlib; importlib.import_module('modalprism.capture.store')",
}
CHECK = """
import inspect, pickle, sys
import modalprism, modalprism.capture.store
assert inspect.isfunction(modalprism.capture)
store = sys.modules["modalprism.capture.store"]
assert modalprism.capture.store is store
import modalprism.capture.formats
assert modalprism.capture.formats is sys.modules["modalprism.capture.formats"]
assert pickle.loads(pickle.dumps(store.EmbeddingStore)) is store.EmbeddingStore
assert pickle.loads(pickle.dumps(modalprism.capture)) is modalprism.capture
"""


ANY_ORDER = f"""
import sys
imports = {[*IMPORTS.values()]!r}
function = {IMPORTS["function"]!r}
for order in [(one, function) for one in imports] + [(function, one) for one in imports]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "modalprism"]:
        del sys.modules[name]
    for code in (*order, {CHECK!r}):
        exec(code, {{}})
"""


def test_function_and_subpackage_live_together_in_any_order():
    python(ANY_ORDER)


def test_the_package_may_be_pickled_with_a_function_that_uses_it():
    assert pickle.loads(pickle.dumps(mp)) is mp  # noqa: S301


def test_capture_may_be_patched(monkeypatch):
    monkeypatch.setattr(mp, "capture", print)
    assert mp.capture is print
