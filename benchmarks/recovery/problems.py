"""The problems: samples whose atoms are known, so that an estimator can be held against them.

A problem draws (X₁, X₂, y, groups) for n rows and a seed, the same whenever it is asked again, and
knows the true atoms in bits where there is a truth. What kind of truth it is, is told:

exact
    in closed form: the symbols can be read off the embeddings all but without error;
computed
    the symbols are seen through noise, and the atoms integrated numerically (`channel`);
upper
    what perfect readers of real pictures and of speech would get; coverage is not counted;
none
    real views of a real label.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import ClassVar, Protocol

import numpy as np
import symbol_tables as tables
from channel import Channel, noisy_atoms
from digits import HandwrittenViews, SpokenDigits
from folders import remember
from kinds import Bits, Direction, Sectors, Strips, bit_information, solve
from numpy.typing import NDArray
from symbol_tables import SymbolTable, from_gate

from modalprism.pid.gates import Atoms

ATOMS = ("redundancy", "unique_1", "unique_2", "synergy")
INFORMATIONS = ("information_1", "information_2", "information")
QUANTITIES = (*ATOMS, *INFORMATIONS, "contribution")
_NOTHING = 1e-6  # bits of unique information, below which there is nothing to divide


@dataclass(frozen=True, eq=False)
class Sample:
    """Two sources, a target and, where rows belong together, the groups.

    Parameters
    ----------
    x1, x2 : ndarray
        (n, d1) and (n, d2).
    y : ndarray
        (n,), labels.
    groups : mapping or None
        Column name to (n,).
    """

    x1: NDArray[np.float64] = field(repr=False)
    x2: NDArray[np.float64] = field(repr=False)
    y: NDArray[np.int64] = field(repr=False)
    groups: Mapping[str, NDArray[np.int64]] | None = None


class Source(Protocol):
    """Distribution from which a problem's rows are drawn."""

    @property
    def truth(self) -> str:
        """Kind of truth: exact, computed, upper or none."""

    @property
    def most(self) -> float:
        """Most rows that can be drawn."""

    def missing(self) -> str | None:
        """Reason why it cannot be drawn here, or None."""

    def atoms(self) -> Atoms | None:
        """True atoms in bits; None where there is no truth."""

    def rows(self, n: int, rng: np.random.Generator) -> tuple[NDArray, ...]:
        """Draw n rows of X₁, X₂ and y, and their groups as a mapping where there are any."""


@dataclass(frozen=True, eq=False)
class Symbols:
    """Symbols of a table, written into embeddings.

    Parameters
    ----------
    table : SymbolTable
        The symbols, the class and their atoms.
    channel : Channel
        How they are written.
    noisy : bool
        Whether the noise hides some of them, so that the truth must be computed.
    """

    table: SymbolTable
    channel: Channel
    noisy: bool = False
    most: ClassVar[float] = math.inf

    @property
    def truth(self) -> str:
        """Kind of truth."""
        return "computed" if self.noisy else "exact"

    def missing(self) -> None:
        """Nothing is missing."""

    def atoms(self) -> Atoms:
        """Atoms of the table, or of what is left of it behind the noise; computed only once."""
        if not self.noisy:
            return self.table.atoms
        key = f"{self.table.name} {self.channel.separation:g}"
        r, u1, u2, s = remember(key, self._compute)
        return Atoms(r, (u1, u2), s)

    def rows(
        self, n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Draw n rows."""
        return self.channel.draw(self.table, n, rng)

    def _compute(self) -> list[float]:
        found = noisy_atoms(self.table, self.channel)
        return [found.redundancy, *found.unique, found.synergy]


@dataclass(frozen=True, eq=False)
class Problem:
    """Something to recover.

    Parameters
    ----------
    name : str
        What the tables call it.
    group : str
        What it stands with in tables and figures.
    about : str
        What it is, in one line.
    source : Source
        Where its rows come from.
    sizes : tuple of int
        Numbers of rows that it is drawn with.
    same_as : str, optional
        Name of the problem whose random numbers it draws, so that nothing but the source differs.
    """

    name: str
    group: str
    about: str
    source: Source = field(repr=False)
    sizes: tuple[int, ...] = (500, 2000)
    same_as: str | None = None

    def draw(self, n: int, seed: int, draw: int = 0) -> Sample:
        """Draw n rows; the same numbers give the same rows, whoever asks."""
        name = self.same_as or self.name
        rng = np.random.default_rng([seed, draw, n, zlib.crc32(name.encode())])
        return Sample(*self.source.rows(n, rng))

    @cached_property
    def truths(self) -> dict[str, float]:
        """True value of every quantity; NaN where there is none, or nothing to divide."""
        atoms = self.source.atoms()
        if atoms is None:
            return dict.fromkeys(QUANTITIES, np.nan)
        u1, u2 = atoms.unique
        ratio = u1 / (u1 + u2) if u1 + u2 > _NOTHING else np.nan
        r = atoms.redundancy
        values = (r, u1, u2, atoms.synergy, r + u1, r + u2, atoms.information, ratio)
        return dict(zip(QUANTITIES, map(float, values), strict=True))


def _gates() -> list[SymbolTable]:
    """Tables that are tried both clear and noisy."""
    single = [from_gate(name) for name in ("rdn", "unq1", "copy", "and", "xor")]
    rdn, unq1, xor = from_gate("rdn"), from_gate("unq1"), from_gate("xor")
    return [*single, rdn + unq1, rdn + xor]


def _written(
    group: str,
    prefix: str,
    written: Iterable[SymbolTable],
    channel: Channel | None = None,
    sizes: tuple[int, ...] = (500, 2000),
    *,
    noisy: bool = False,
    suffix: str = "",
) -> list[Problem]:
    """Return one problem for each table."""
    channel = channel or Channel(separation=3.0 if noisy else 8.0)
    return [
        Problem(
            f"{prefix}-{table.name}{suffix}",
            group,
            table.about,
            Symbols(table, channel, noisy),
            sizes,
        )
        for table in written
    ]


def _nulls() -> list[Problem]:
    """Return targets that are independent of both sources."""
    sizes = (200, 1000, 5000)
    made = []
    for classes, dimensions in product((2, 4, 10), (64, 512)):
        channel = Channel(dimensions=dimensions)
        end = f"-d{dimensions}"
        plain, clustered = tables.noise(classes), tables.noise(classes, symbols=4)
        made += _written("null", "null", [plain], channel, sizes, suffix=end)
        made += _written("null", "null-clusters", [clustered], channel, sizes, suffix=end)
    return made


def _kinds() -> list[Problem]:
    """Return kinds of data that are hard to read, and nulls of few groups."""

    def of(name: str, about: str, source: Source, n: int = 1000, **rest: str) -> Problem:
        return Problem(f"kinds-{name}", "kinds", about, source, (n,), **rest)

    def weak(ratio: float) -> Problem:
        parts = [(solve(bit_information, 0.8 * part), 0.0) for part in (ratio, 1 - ratio)]
        about = f"two bits, each seen by one source; C₁ = {ratio:.2f}"
        source = Bits(parts[0], parts[1][::-1])
        return Problem(f"kinds-weak-c{100 * ratio:02.0f}", "kinds", about, source, (500, 1500))

    def groups(number: int) -> Problem:
        source = Bits((0.0, 0.0), (0.0, 0.0), groups=number)
        about = f"{number} pictures of many rows; the target follows the picture, by chance"
        return Problem(f"null-groups{number}", "null-groups", about, source, (1000,))

    views = ((2.4,), (1.3,))
    gates = [
        tables.stochastic("mixed", [[0.05, 0.7], [0.9, 0.45]]),
        tables.stochastic("rising", [[0.05, 0.3], [0.35, 0.9]]),
    ]
    return [
        *map(weak, (0.02, 0.1, 0.35, 0.6, 0.9, 0.98)),
        of("units", "a bit seen by both sources", Bits(*views, dimensions=8)),
        of(
            "units-powers",
            "the same rows with columns in units of 10⁻⁴ to 10⁴",
            Bits(*views, dimensions=8, powers=4),
            same_as="kinds-units",
        ),
        of("direction", "linear in component 150 of 400", Direction(0.45, 400, 150, decay=0.6)),
        of("equal", "linear in one of 300 components of equal variance", Direction(0.5, 300, 0)),
        of(
            "component",
            "the exclusive or of the signs of component 30 of 80",
            Strips(2, (1, 1), (80, 80), 0.08, component=30, decay=0.6),
        ),
        of("parity2", "parity of two signs in source 1", Strips(2, (2, 0), (24, 8), 0.06)),
        of("parity3", "parity of three signs in source 1", Strips(2, (3, 0), (4, 2), 0.03), 2000),
        of("sectors8", "eight sectors of an angle, two classes", Sectors(8, 2, 5, 0.04)),
        of("sectors6", "six sectors of an angle, three classes", Sectors(6, 3, 10, 0.05)),
        of("checkers3", "checkerboard, 3 × 3", Strips(3, (1, 1), (6, 6), 0.02)),
        of("checkers4", "checkerboard, 4 × 4", Strips(4, (1, 1), (12, 12), 0.04)),
        of("xor", "the exclusive or of two signs of 40 each", Strips(2, (1, 1), (40, 40), 0.08)),
        *_written("kinds", "kinds-clear", gates, sizes=(1000,)),
        *_written("kinds", "kinds-noisy", gates, sizes=(1000,), noisy=True),
        of(
            "pictures",
            "60 pictures of many rows: a bit seen by both sources, another by source 2",
            Bits((2.0, 0.0), (1.0, 1.6), groups=60),
            1200,
        ),
        *map(groups, (10, 24)),
    ]


def _every() -> list[Problem]:
    """Return every problem, in the order of the tables."""
    gate, shared, first = from_gate, tables.shared, tables.first_only
    rdn_unq, four, large = gate("rdn") + gate("unq1"), (2000,), (20_000,)
    xor_in_512 = Channel(dimensions=512)
    return [
        *_written("clear", "clear", _gates()),
        *_written("clear", "clear", [rdn_unq], Channel(dimensions=64), four, suffix="-d64"),
        *_written("clear", "clear", [rdn_unq], Channel(dimensions=1024), four, suffix="-d1024"),
        *_written(
            "clear", "clear", [rdn_unq, gate("xor")], Channel(common=True), four, suffix="-common"
        ),
        *_written(
            "clear", "clear", [rdn_unq, gate("and")], Channel(mixed=True), four, suffix="-mixed"
        ),
        *_written("noisy", "noisy", _gates(), noisy=True),
        *_written("large", "large", [rdn_unq, gate("rdn") + gate("xor")], sizes=large, noisy=True),
        *_written("unbalanced", "unbalanced", [tables.rare_xor(), tables.rare_unique()]),
        *_written(
            "unbalanced",
            "many",
            [shared(20), tables.sum_modulo(5), first(4) + tables.second_only(5)],
            Channel(separation=10.0),  # of 20 symbols at 8, .0026 bit would be lost
            sizes=(2000,),
        ),
        *_nulls(),
        *_written("hidden", "hidden", [gate("xor")], xor_in_512, (2000,), suffix="-d512"),
        *_written("hidden", "hidden", [tables.noise(2, 2)], xor_in_512, (2000,), suffix="-d512"),
        *_written("one-sided", "one-sided", [gate("unq1"), gate("unq2"), shared(2) + first(3)]),
        *_written("lsmi", "lsmi", [gate("xor"), _or(), tables.xor_not()], sizes=(2000,)),
        *_kinds(),
        *(
            Problem(f"views-{a}+{b}-{y}", "views", about, HandwrittenViews(a, b, y), (1000,))
            for a, b in (("fou", "mor"), ("kar", "zer"), ("fac", "pix"))
            for y, about in HandwrittenViews.TARGETS.items()
        ),
        *(
            Problem(f"speech-{y}", "speech", about, SpokenDigits(y), (1000,))
            for y, about in SpokenDigits.TARGETS.items()
        ),
    ]


def _or() -> SymbolTable:
    """Return OR, which is AND with every bit turned round."""
    table = from_gate("and")
    about = "the target is the logical or of two independent bits"
    return SymbolTable("or", about, table.joint[::-1, ::-1, ::-1].copy(), table.atoms)


PROBLEMS = {problem.name: problem for problem in _every()}
QUICK = {
    "clear-rdn": 500,
    "clear-copy": 500,
    "clear-xor": 500,
    "noisy-rdn+unq1": 500,
    "noisy-and": 500,
    "null-noise4-d64": 200,
}

AGAIN = ("noisy-rdn+unq1", "null-noise4-d64")  # whose first draw is analysed with other seeds too


def select(parts: Sequence[str] | None) -> list[Problem]:
    """Return the problems whose name contains one of the parts, all where there are none.

    Examples
    --------
    >>> [problem.name for problem in select(["lsmi"])]
    ['lsmi-xor', 'lsmi-or', 'lsmi-xor-not']
    """
    return [
        problem
        for name, problem in PROBLEMS.items()
        if not parts or any(part.lower() in name for part in parts)
    ]
