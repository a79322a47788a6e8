"""What pytest must not import here: doctests are collected from every module of the package."""

from importlib.util import find_spec

# Triton comes with the GPU builds of torch only, and its kernels are defined when imported.
collect_ignore = [] if find_spec("triton") else ["src/modalprism/pid/triton_backend.py"]
if not find_spec("numba"):  # An extra.
    collect_ignore += ["src/modalprism/pid/numba_kernel.py", "src/modalprism/pid/numba_backend.py"]
