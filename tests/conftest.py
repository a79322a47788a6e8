"""What every room's tests may need."""

import resource
from contextlib import contextmanager

import pytest


@pytest.fixture(scope="session")
def disk_of():
    """Let no file grow beyond some bytes, as on a full disk; the system's own error comes back."""

    @contextmanager
    def limit(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit
