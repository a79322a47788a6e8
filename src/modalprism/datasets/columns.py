"""Which column of a dataset is what: a modality, the label, the id, or a group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from modalprism.errors import InputError

Kind = Literal["image", "text", "audio", "array"]

KINDS: Final[tuple[str, ...]] = get_args(Kind)
_GUESSES: Final = {
    "image": ("image", "img", "picture", "photo", "image_path", "file_name"),
    "text": ("text", "question", "caption", "sentence", "prompt"),
    "audio": ("audio", "sound", "speech", "wav", "audio_path"),
    "label": ("label", "answer", "target", "class"),
    "id": ("id",),
}
_ROLES: Final = ("label", "id", "group")


@dataclass(frozen=True)
class Modality:
    """Where a modality stands, and what it is.

    Attributes
    ----------
    column : str
    kind : {"image", "text", "audio", "array"}
        What the column's values become: a picture, a string, a waveform, an array of float32.
    """

    column: str
    kind: Kind


@dataclass(frozen=True)
class Columns:
    """Which column is what.

    Attributes
    ----------
    modalities : mapping of name to Modality
    label : str, optional
        The column of right answers.
    id : str, optional
        The column that names the examples; without one the dataset's own names or numbers do.
    groups : tuple of str
        Examples that share a value in one of these columns never straddle folds.
    without : frozenset of str
        Roles that no column has, and that are not guessed.

    Examples
    --------
    >>> columns = Columns.from_flags(["image=scan", "group=patient"])
    >>> columns.among(["scan", "question", "answer", "patient"]).names
    ('scan', 'question', 'answer', 'patient')
    """

    modalities: Mapping[str, Modality] = field(default_factory=dict)
    label: str | None = None
    id: str | None = None
    groups: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()

    @classmethod
    def from_flags(cls, flags: Iterable[str]) -> Columns:
        """Read ``role=column``, one a flag.

        A role is ``label``, ``id``, ``group`` (as often as there are), ``image``, ``text`` or
        ``audio``, or a modality of another name with its kind, ``xray:image=file``. Nothing on the
        right says that no column has the role, ``label=``, so that none is guessed.

        Raises
        ------
        InputError
            If a flag is not of that form, or a role stands twice.
        """
        pairs = []
        for flag in flags:
            role, equals, column = flag.partition("=")
            if not equals or not role.strip():
                raise InputError(f"the column {flag!r} is not of the form role=column: image=scan")
            pairs.append((role.strip(), column.strip()))
        return cls._from_pairs(pairs)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Columns:
        """Read what a YAML file says: the same roles, with a list where there are several groups.

        Raises
        ------
        InputError
            If it is not a mapping of roles to names of columns.
        """
        if not isinstance(mapping, Mapping):
            raise InputError(f"columns is {mapping!r}; give a mapping of roles to columns")
        pairs = []
        for role, given in mapping.items():
            several = given if isinstance(given, list) and role == "group" else [given]
            for column in several:
                if not isinstance(column, str | None):
                    raise InputError(f"columns: {role} is {column!r}; give the name of a column")
                pairs.append((str(role), column or ""))
        return cls._from_pairs(pairs)

    @classmethod
    def _from_pairs(cls, pairs: Sequence[tuple[str, str]]) -> Columns:
        modalities: dict[str, Modality] = {}
        roles: dict[str, str] = {}
        groups: list[str] = []
        without: set[str] = set()
        for role, column in pairs:
            if role == "group":
                groups += [column] if column and column not in groups else []
                continue
            name, _, kind = role.partition(":")
            if name in modalities or name in roles or name in without:
                raise InputError(f"the role {name!r} is given twice; one column has it")
            if role not in _ROLES:
                kind = _kind(role, name, kind)
            if kind and name in _ROLES:
                raise InputError(f"the role {role!r} has a kind, but {name} is no modality")
            if not column:
                without.add(name)
            elif role in _ROLES:
                roles[role] = column
            else:
                modalities[name] = Modality(column, kind)  # type: ignore[arg-type]
        return cls(
            modalities, roles.get("label"), roles.get("id"), tuple(groups), frozenset(without)
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are needed, each once."""
        named = [modality.column for modality in self.modalities.values()]
        named += [column for column in (self.label, self.id) if column]
        return tuple(dict.fromkeys([*named, *self.groups]))

    def among(self, available: Sequence[str]) -> Columns:
        """Find the columns among those that exist, and guess by usual names what was not given.

        Raises
        ------
        InputError
            If a column does not exist, or there is no modality; it lists the columns.
        """
        found = f"the columns are {', '.join(available) or 'none'}"
        if missing := [name for name in self.names if name not in available]:
            raise InputError(f"there is no column {missing[0]!r}; {found}")
        given = {one.column for one in self.modalities.values()} | {self.label, self.id}
        free = {name.casefold(): name for name in reversed(available) if name not in given}

        def guess(role: str) -> str | None:
            names = () if role in self.without else _GUESSES[role]
            if role in _ROLES:  # examples that share a picture may be a group, and are no example
                names = tuple(name for name in names if free.get(name) not in self.groups)
            return next((free.pop(name) for name in names if name in free), None)

        modalities = dict(self.modalities)
        kinds: tuple[Kind, ...] = ("image", "text", "audio")
        for kind in kinds:
            if kind not in modalities and (column := guess(kind)):
                modalities[kind] = Modality(column, kind)
        if not modalities:
            raise InputError(
                f"no column is known to be a modality; say which are, image=… text=…: {found}"
            )
        return Columns(
            modalities,
            self.label or guess("label"),
            self.id or guess("id"),
            self.groups,
            self.without,
        )


def _kind(role: str, name: str, kind: str) -> str:
    """Tell the kind of a modality, by its own words or by its name."""
    kind = kind or name
    if kind in KINDS:
        return kind
    raise InputError(
        f"the role {role!r} is none of image, text, audio, label, id and group; a modality of "
        f"another name says which of {', '.join(KINDS)} it is: {name}:image=column"
    )
