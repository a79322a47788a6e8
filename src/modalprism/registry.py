"""Objects that a user names by a string, built in or registered by other packages."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from modalprism.errors import InputError
from modalprism.foreign import reason_of
from modalprism.suggest import suggestion

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Maps names to objects.

    A package adds an object of its own by an entry point in its ``pyproject.toml``; it is imported
    when its name is first looked up::

        [project.entry-points."modalprism.solvers"]
        mine = "my_package.solver:MySolver"

    Parameters
    ----------
    kind : str
        What the objects are, in the singular, for messages.
    group : str
        Group of entry points that other packages register in.
    builtin : mapping of str to Entry or str
        The objects of this package; ``"module:attribute"`` is imported at first use.

    Examples
    --------
    >>> shapes = Registry("shape", "example.shapes", {"counter": "collections:Counter"})
    >>> shapes["counter"]("aab")
    Counter({'a': 2, 'b': 1})
    >>> shapes["conter"]
    Traceback (most recent call last):
    modalprism.errors.InputError: there is no shape 'conter': choose one of 'counter'; did you \
mean 'counter'?
    """

    def __init__(self, kind: str, group: str, builtin: Mapping[str, Entry | str]) -> None:
        self.kind, self.group, self._builtin = kind, group, dict(builtin)

    @property
    def builtin(self) -> tuple[str, ...]:
        """The names of this package's own objects; `names` looks for those of others too."""
        return tuple(self._builtin)

    def names(self) -> list[str]:
        """Return all names: built-in ones first, then those of other packages."""
        others = {entry.name for entry in entry_points(group=self.group)}
        return [*self._builtin, *sorted(others - self._builtin.keys())]

    def __getitem__(self, name: str) -> Entry:
        """Return the object of a name.

        Raises InputError if there is no object of that name, or a package that registers it cannot
        be imported.
        """
        entry = self._builtin.get(name)
        if isinstance(entry, str):
            entry = self._builtin[name] = EntryPoint(name, entry, self.group).load()
        if entry is not None:
            return cast("Entry", entry)
        for registered in entry_points(group=self.group, name=name):
            try:
                return cast("Entry", registered.load())
            except (ImportError, AttributeError) as error:
                package = registered.dist.name if registered.dist else registered.module
                raise InputError(
                    f"the {self.kind} {name!r} of the package {package} cannot be imported:"
                    f" {reason_of(error)}; repair or remove that package",
                    parameter=self.kind,
                ) from error
        names = self.names()
        choice = ", ".join(map(repr, names))
        hint = suggestion(str(name), names)
        raise InputError(
            f"there is no {self.kind} {name!r}: choose one of {choice}{hint}", parameter=self.kind
        )

    def version(self, name: str) -> int:
        """Return the number of the version of an object's results: its attribute ``version``.

        Raises InputError if there is no object of that name, or it has no version.
        """
        version = getattr(self[name], "version", None)
        if not isinstance(version, int):
            raise InputError(
                f"the {self.kind} {name!r} has no version, by which finished results are known: "
                "give it version = 1, and raise the number when its results change"
            )
        return version
