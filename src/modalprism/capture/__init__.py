"""Model → embeddings, inference only: adapters, hooks, and the store on disk.

The package is also the function that the public face promises: ``modalprism.capture(model,
processor, examples, out=…)``. `front` has it, with its documentation.
"""

import sys
from types import ModuleType
from typing import Any


class _Package(ModuleType):
    """A package that can be called, since its name is promised to users as a function's."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        # Imported at first use: a command that only prints its help does not wait for torch.
        from modalprism.capture.front import capture

        return capture(*arguments, **options)


sys.modules[__name__].__class__ = _Package
