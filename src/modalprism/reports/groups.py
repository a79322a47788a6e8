"""Groups of models and datasets of which the same is said, in few words."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

Place: TypeAlias = tuple[str, str]  # a model, and a dataset that it answers
Mark = TypeVar("Mark", bound=Hashable)

_MOST_NAMES: Final = 6


class Group(NamedTuple, Generic[Mark]):
    """Some models, each on each of some datasets, and the mark that all of them share."""

    models: tuple[str, ...]
    datasets: tuple[str, ...]
    mark: Mark

    @property
    def places(self) -> list[Place]:
        """Every model on every dataset."""
        return [(model, dataset) for model in self.models for dataset in self.datasets]


def groups(marks: Mapping[Place, Mark]) -> list[Group[Mark]]:
    """Group places with the same mark, by model or by dataset, whichever gives fewer groups.

    Each place is in one group; the largest groups come first.

    Examples
    --------
    >>> for group in groups({("a", "x"): 1, ("b", "x"): 1, ("a", "y"): 1, ("b", "y"): 2}):
    ...     print(group)
    Group(models=('a', 'b'), datasets=('x',), mark=1)
    Group(models=('a',), datasets=('y',), mark=1)
    Group(models=('b',), datasets=('y',), mark=2)
    """
    by_dataset = [
        Group(models, datasets, mark)
        for (models, mark), datasets in _joined(
            {(dataset, model): mark for (model, dataset), mark in marks.items()}
        ).items()
    ]
    by_model = [
        Group(models, datasets, mark) for (datasets, mark), models in _joined(marks).items()
    ]
    fewer = by_dataset if len(by_dataset) <= len(by_model) else by_model
    return sorted(fewer, key=lambda group: -len(group.places))


def _joined(
    marks: Mapping[tuple[str, str], Mark],
) -> dict[tuple[tuple[str, ...], Mark], tuple[str, ...]]:
    """Join first names that have the same mark with the same second names."""
    lines: dict[tuple[str, Mark], tuple[str, ...]] = {}
    for (line, other), mark in marks.items():
        lines[line, mark] = (*lines.get((line, mark), ()), other)
    joined: dict[tuple[tuple[str, ...], Mark], tuple[str, ...]] = {}
    for (line, mark), others in lines.items():
        key = (tuple(sorted(others)), mark)
        joined[key] = (*joined.get(key, ()), line)
    # Sorted names made the key; what is shown keeps the order of the study.
    order = list(dict.fromkeys(other for _, other in marks))
    return {
        (tuple(sorted(others, key=order.index)), mark): joined_lines
        for (others, mark), joined_lines in joined.items()
    }


def where(group: Group[Mark], everything: Collection[Place], every: str = "every") -> str:
    """Describe a group: ``on match in every model``.

    "Every" refers to everything: all models on all their datasets. `every` is the word for all,
    ``any`` in a denial.

    Examples
    --------
    >>> everything = [("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")]
    >>> where(Group(("a", "b"), ("x",), None), everything)
    'on x in every model'
    >>> where(Group(("a",), ("x", "y"), None), everything)
    'on every dataset in a'
    """
    places = set(group.places)

    def whole(axis: int, names: Sequence[str]) -> bool:
        other = {place[1 - axis] for place in places}
        needed = {place for place in everything if place[1 - axis] in other}
        return len(names) > 1 and needed <= places

    on = f"{every} dataset" if whole(1, group.datasets) else listed(group.datasets)
    of = f"{every} model" if whole(0, group.models) else listed(group.models)
    return f"on {on} in {of}"


def listed(words: Sequence[str], most: int = _MOST_NAMES) -> str:
    """Join words as a list in a sentence; what is beyond the most is counted.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"]), listed(["a", "b", "c", "d"], most=2)
    ('a', 'a, b and c', 'a, b and 2 more')
    """
    shown = list(words) if len(words) <= most else [*words[:most], f"{len(words) - most} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
