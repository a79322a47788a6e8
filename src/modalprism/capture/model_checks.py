"""Checks that a model exists, before anything large is imported, opened or loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from modalprism.errors import InputError
from modalprism.foreign import guarded
from modalprism.suggest import suggestion

_CONFIG: Final = "config.json"
_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
_HUB_SECONDS: Final = 10


def check_model(model: str | Path, revision: str | None = None) -> None:
    """Refuse a model that does not exist: neither a folder, nor an id of the model hub.

    An id is looked up in the hub's cache, and in the hub only if it is not there.
    """
    if not check_model_folder(model):
        _check_hub(str(model), revision)


def check_model_folder(model: str | Path) -> bool:
    """Refuse a path that is no folder of a model; return False for what may be an id of the hub."""
    words, path = str(model), Path(model)
    if path.is_dir():
        if (path / _CONFIG).is_file():
            return True
        inside = [one.parent.name for one in sorted(path.glob(f"*/{_CONFIG}"))]
        also = f"; its folder {inside[0]!r} does" if inside else ""
        raise _refused(words, f"the folder holds no {_CONFIG}{also}")
    if path.exists():
        raise _refused(words, f"it is a file; name the folder that holds its {_CONFIG}")
    inside_folder = path.parent != Path() and path.parent.is_dir()
    if isinstance(model, Path) or not _HUB_ID.fullmatch(model) or inside_folder:  # no hub's id
        raise _refused(words, f"there is no such folder{_beside(path)}")
    return False


def _beside(path: Path) -> str:
    if not path.parent.is_dir():
        return ""
    names = sorted(one.name for one in path.parent.iterdir() if one.is_dir())
    found = suggestion(path.name, names)
    return found if path.parent == Path() else found.replace("'", f"'{path.parent}/", 1)


def _check_hub(name: str, revision: str | None) -> None:
    try:
        import huggingface_hub as hub
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
    except ImportError:  # whoever loads it says what is missing
        return
    if isinstance(hub.try_to_load_from_cache(name, _CONFIG, revision=revision), str):
        return
    advice = f"check the name, or name the folder of a copy{_beside(Path(name))}"
    with guarded(f"the model {name!r} cannot be loaded: it is no folder here, and the hub", advice):
        try:
            hub.model_info(name, revision=revision, timeout=_HUB_SECONDS)
        except GatedRepoError:  # it is there: loading says how to be let in
            return
        except RepositoryNotFoundError as error:
            raise _refused(
                name, f"it is no folder here, and the hub shows no such model; {advice}"
            ) from error


def _refused(model: str, why: str) -> InputError:
    return InputError(f"the model {model!r} cannot be loaded: {why}")
