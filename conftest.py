"""What pytest must not import here: doctests are collected from every module of the package."""

from importlib.util import find_spec

# Triton comes with the GPU builds of torch only, and its kernels are defined when imported.
collect_ignore = [] if find_spec("triton") else ["src/modalprism/pid/sweep_triton.py"]
