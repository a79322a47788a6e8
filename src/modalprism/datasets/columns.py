"""Roles of a dataset's columns: modality, label, id or group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, get_args

from modalprism.datasets.prompts import Prompt
from modalprism.errors import InputError
from modalprism.suggest import listed, separator_hint, suggestion

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
_BESIDE: Final = "+"


@dataclass(frozen=True)
class Modality:
    """Columns and kind of a modality.

    By its kind, a value becomes a picture, a string, a waveform, or an array of float32. Further
    pictures of the columns `beside` stand to the right of the first in the same one. With a
    `prompt`, the text is made of that, and not the column's as it is.
    """

    column: str
    kind: Kind
    beside: tuple[str, ...] = ()
    prompt: Prompt | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the modality."""
        return self.prompt.columns if self.prompt else (self.column, *self.beside)


@dataclass(frozen=True)
class Columns:
    """Roles of the columns of a dataset.

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
    prompt : Prompt, optional
        What the modality ``text`` is made of, in place of a column.

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
    prompt: Prompt | None = None

    @classmethod
    def from_flags(cls, flags: Iterable[str]) -> Columns:
        """Read ``role=column``, one a flag.

        A role is ``label``, ``id``, ``group`` (as often as there are), ``image``, ``text`` or
        ``audio``, or a modality of another name with its kind, ``xray:image=file``. Nothing on the
        right says that no column has the role, ``label=``, so that none is guessed. Pictures that
        stand side by side are joined by a plus, ``image=left+right``.

        Raises InputError if a flag is not of that form, or a role stands twice.
        """
        pairs: list[tuple[str, list[str]]] = []
        for flag in flags:
            role, equals, column = flag.partition("=")
            if not equals or not role.strip():
                raise InputError(f"the column {flag!r} is not of the form role=column: image=scan")
            role = role.strip()
            names = column.split(_BESIDE) if _is_image(role) else [column]
            pairs.append((role, [name.strip() for name in names]))
        return cls._from_pairs(pairs)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Columns:
        """Read the same roles from a mapping, such as that of a YAML file.

        A list gives several groups, or the pictures that stand side by side, from left to right.

        Raises InputError if it is not a mapping of roles to names of columns.
        """
        if not isinstance(mapping, Mapping):
            raise InputError(f"columns is {mapping!r}; give a mapping of roles to columns")
        pairs: list[tuple[str, list[str]]] = []
        for role, given in mapping.items():
            several = isinstance(given, list) and (role == "group" or _is_image(str(role)))
            columns = given if several else [given]
            for column in columns:
                if not isinstance(column, str | None):
                    raise InputError(f"columns: {role} is {column!r}; give the name of a column")
            names = [column or "" for column in columns]
            if not names and role != "group":
                raise InputError(f"columns: {role} is an empty list; give the names of columns")
            pairs += (
                [("group", [name]) for name in names] if role == "group" else [(str(role), names)]
            )
        return cls._from_pairs(pairs)

    @classmethod
    def _from_pairs(cls, pairs: Sequence[tuple[str, list[str]]]) -> Columns:
        modalities: dict[str, Modality] = {}
        roles: dict[str, str] = {}
        groups: list[str] = []
        without: set[str] = set()
        for role, (column, *beside) in pairs:
            if beside and not all((column, *beside)):
                raise InputError(f"the role {role!r} has a column without a name")
            if role == "group":
                groups += [column] if column and column not in groups else []
                continue
            name, _, kind = role.partition(":")
            if name in modalities or name in roles or name in without:
                raise InputError(f"the role {name!r} is given twice; one column has it")
            if role not in _ROLES:
                kind = kind or name
                if kind not in KINDS:
                    raise InputError(
                        f"the role {role!r} is none of image, text, audio, label, id and group; a "
                        f"modality of another name says which of {', '.join(KINDS)} it is: "
                        f"{name}:image=column{suggestion(name, (*KINDS, *_ROLES))}"
                    )
            if kind and name in _ROLES:
                raise InputError(f"the role {role!r} has a kind, but {name} is no modality")
            if not column:
                without.add(name)
            elif role in _ROLES:
                roles[role] = column
            else:
                modalities[name] = Modality(column, kind, tuple(beside))  # type: ignore[arg-type]
        return cls(
            modalities, roles.get("label"), roles.get("id"), tuple(groups), frozenset(without)
        )

    def with_prompt(self, prompt: Prompt | None) -> Columns:
        """Return the columns with a prompt for the text.

        Raises InputError if a column is the text already.
        """
        if prompt is not None and "text" in self.modalities:
            raise InputError(
                f"text is the column {self.modalities['text'].column!r}, and there is a prompt; "
                "leave one of them out"
            )
        return replace(self, prompt=prompt)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are needed, each once."""
        named = [name for one in self.modalities.values() for name in one.columns]
        named += self.prompt.columns if self.prompt else ()
        named += [column for column in (self.label, self.id) if column]
        return tuple(dict.fromkeys([*named, *self.groups]))

    def among(self, available: Sequence[str]) -> Columns:
        """Check the columns against those that exist, and guess missing roles by usual names.

        Raises InputError if a column does not exist, or there is no modality; it lists the columns.
        """
        found = f"the columns are {listed(available)}{separator_hint(available)}"
        in_prompt = self.prompt.columns if self.prompt else ()
        if missing := [name for name in self.names if name not in available]:
            whose = " that the prompt names" if missing[0] in in_prompt else ""
            hint = suggestion(missing[0], available)
            raise InputError(
                f"there is no column {missing[0]!r}{whose}; {found}{hint}",
                parameter="prompt" if whose else "columns",
            )
        given = {name for one in self.modalities.values() for name in one.columns}
        given |= {self.label or "", self.id or ""}
        free = {name.casefold(): name for name in reversed(available) if name not in given}

        def guess(role: str) -> str | None:
            names = () if role in self.without else _GUESSES[role]
            if role in _ROLES:  # examples that share a picture may be a group, and are no example
                names = tuple(name for name in names if free.get(name) not in self.groups)
            return next((free.pop(name) for name in names if name in free), None)

        modalities = dict(self.modalities)
        if self.prompt:
            modalities["text"] = Modality(in_prompt[0], "text", prompt=self.prompt)
        kinds: tuple[Kind, ...] = ("image", "text", "audio")
        for kind in kinds:
            if kind not in modalities and (column := guess(kind)):
                modalities[kind] = Modality(column, kind)
        if not modalities:
            raise InputError(
                f"no column is known to be a modality; say which are, image=… text=…: {found}",
                parameter="columns",
            )
        return Columns(
            modalities,
            self.label or guess("label"),
            self.id or guess("id"),
            self.groups,
            self.without,
        )


def _is_image(role: str) -> bool:
    name, _, kind = role.partition(":")
    return (kind or name) == "image"
