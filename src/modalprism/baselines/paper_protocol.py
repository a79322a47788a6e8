"""The paper's protocol, as far as it is public, left as it is for comparison.

Of each example X₁ and X₂ are a modality's tokens before fusion, and Y the fused tokens of a layer
(`paper_tokens`). All are cut to the shortest, coded, and their triples counted (`paper_tables`).
The table's atoms are found by the paper's iteration (`paper_fitting`). The score is the mean over
examples of C_m = U_m/(U₁+U₂).

Two things are added. The same tables decomposed by our certified solver separate the optimiser's
error, which is small, from that of counting a handful of tokens in a thousand cells, which is not.
A null, the same protocol on independent tokens, shows what it reads where there is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from modalprism.baselines.interface import Cost, Subject
from modalprism.baselines.paper_fitting import Atoms, fitted_atoms
from modalprism.baselines.paper_tables import (
    PAIRINGS,
    Codes,
    Pairing,
    coded_triples,
    counted,
    shuffled,
)
from modalprism.baselines.paper_tokens import Tokens, fused_sites, read_tokens
from modalprism.baselines.running import AverageBaseline, Measured, Runner
from modalprism.errors import InputError
from modalprism.pid import decompose_batch

Array = NDArray[np.float64]
Null = Literal["permuted", "gaussian"]
Solver = Callable[[Array], Atoms]

HALF: Final = "half"
_CHUNK: Final = 64  # tables at a time
_GAP: Final = 1e-6  # bits


@dataclass(frozen=True)
class PaperProtocol(AverageBaseline):
    """The paper's contribution of each modality, with atoms in bits, certified twins and a null.

    "contribution" is the paper's own number; "(certified)" is that of the same tables by our
    solver, "(null)" that of independent tokens, and "(null, certified)" both. An example of which
    a sequence is empty, or that has neither unique atom, does not count.

    Parameters
    ----------
    layers : tuple of int, optional
        Whose fused states are Y; the last one by default.
    symbols : "half" or int
        k of k-means, and the number of principal components: half the text's tokens and one more
        (the paper's rule for BLIP), or a number, 10 in the paper's for SmolVLM.
    pairing : {"centroids", "aligned"}
        How longer sequences are cut: as the paper does, in arbitrary order, or evenly, in order.
    null : {"permuted", "gaussian"}
        What is made independent: the example's own tokens, permuted, or Gaussian ones in their
        place.
    certified : bool
        Whether our solver decomposes the tables, too.
    """

    layers: tuple[int, ...] | None = None
    symbols: int | Literal["half"] = HALF
    pairing: Pairing = "centroids"
    null: Null = "permuted"
    certified: bool = True

    name: ClassVar[str] = "paper"
    title: ClassVar[str] = "The paper's protocol"
    headlines: ClassVar[tuple[str, ...]] = ("contribution", "contribution (null)")
    shares: ClassVar[tuple[str, ...]] = ("contribution",)
    source: ClassVar[str] = "Amit et al. 2025, arXiv:2511.19470"

    def __post_init__(self) -> None:
        if self.symbols != HALF and not (isinstance(self.symbols, int) and self.symbols > 0):
            raise InputError(f"symbols is {self.symbols!r}; give 'half', or a number of 1 or more")
        if self.pairing not in PAIRINGS:
            raise InputError(
                f"there is no pairing {self.pairing!r}; choose {' or '.join(PAIRINGS)}"
            )
        if self.null not in ("permuted", "gaussian"):
            raise InputError(f"there is no null {self.null!r}; choose permuted or gaussian")

    def cost(self, subject: Subject) -> Cost:
        """One pass an example, for all layers."""
        return Cost(len(subject.examples))

    def measured(self, runner: Runner, seed: int) -> Iterator[Measured]:
        """Code the tokens of every example, count them, and decompose the tables."""
        subject = runner.subject
        layers = self._layers(subject)
        coded = _Coded(self, subject.adapter.modalities, seed)
        for tokens in read_tokens(runner, layers, f"reading tokens of {subject.model}"):
            coded.add(tokens)
        for layer in layers:
            where = "" if self.layers is None else f" at layer {layer}"
            for how, atoms in coded.decomposed(layer):
                for quantity, modality, values in _quantities(atoms, subject.adapter.modalities):
                    unit = "1" if quantity == "contribution" else "bit"
                    yield Measured(f"{quantity}{how}{where}", modality, values, unit)

    def _layers(self, subject: Subject) -> tuple[int, ...]:
        known = sorted(fused_sites(subject.adapter))
        if self.layers is None:
            return (known[-1],)
        if unknown := [layer for layer in self.layers if layer not in known]:
            raise InputError(
                f"layer {unknown[0]} is not fused, or not there; choose from "
                f"{', '.join(map(str, known))}"
            )
        return self.layers


class _Coded:
    """The codes of every example, layer by layer, and of its null."""

    def __init__(self, protocol: PaperProtocol, modalities: tuple[str, str], seed: int) -> None:
        self.protocol, self.seed = protocol, seed
        self.text = modalities.index("text") if "text" in modalities else 1
        self.triples: dict[int, list[Codes]] = {}
        self.independent: dict[int, list[Codes]] = {}

    def add(self, tokens: Tokens) -> None:
        """Code one example, the next in order."""
        text = len(tokens.sources[self.text])
        protocol = self.protocol
        symbols = text // 2 + 1 if protocol.symbols == HALF else int(protocol.symbols)
        for layer, fused in tokens.fused.items():
            given = (*tokens.sources, fused)
            # One generator for each layer, so that results do not depend on the other layers.
            generator = np.random.default_rng([self.seed, tokens.place, layer])
            self.triples.setdefault(layer, []).append(
                coded_triples(given, symbols, protocol.pairing, generator)
            )
            if protocol.null == "gaussian":
                noise = [generator.standard_normal(sequence.shape) for sequence in given]
                self.independent.setdefault(layer, []).append(
                    coded_triples(noise, symbols, protocol.pairing, generator)
                )

    def decomposed(self, layer: int) -> Iterator[tuple[str, Atoms]]:
        """Yield the atoms of a layer's tables, and of their null, by both solvers."""
        triples = self.triples[layer]
        null = self.independent.get(layer) or shuffled(triples, self.seed)
        solvers: list[tuple[str, Solver]] = [("", fitted_atoms)]
        if self.protocol.certified:
            solvers.append(("certified", certified_atoms))
        for of, codes in (("", triples), ("null", null)):
            for by, solver in solvers:
                words = ", ".join(filter(None, (of, by)))
                yield f" ({words})" if words else "", atoms_of(codes, solver)


def atoms_of(triples: Sequence[Codes], solver: Solver) -> Atoms:
    """Decompose the table of each example's codes, (3, L), by a solver; nan where it has no row."""
    names = [field.name for field in fields(Atoms)]
    found = {name: np.full(len(triples), np.nan) for name in names}
    rows = [row for row, codes in enumerate(triples) if codes.size]
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        codes = [triples[row] for row in chunk]
        atoms = solver(counted(codes, 1 + max(int(one.max()) for one in codes)))
        for name in names:
            found[name][chunk] = getattr(atoms, name)
    return Atoms(**found)


def certified_atoms(joints: Array) -> Atoms:
    """Decompose tables, (B, k, k, k), to a proven gap of 10⁻⁶ bit, as `fitted_atoms` does not."""
    found = decompose_batch(joints, tol=_GAP, solver="newton")
    return Atoms(
        np.array([d.redundancy for d in found]),
        np.array([d.unique[0] for d in found]),
        np.array([d.unique[1] for d in found]),
        np.array([np.nan if d.synergy is None else d.synergy for d in found]),
    )


def _quantities(
    atoms: Atoms, modalities: tuple[str, str]
) -> Iterator[tuple[str, str | None, Array]]:
    first, second = modalities
    of_first, of_second = atoms.contribution()
    yield "contribution", first, of_first
    yield "contribution", second, of_second
    yield "redundancy", None, atoms.redundancy
    yield "unique", first, atoms.unique_first
    yield "unique", second, atoms.unique_second
    yield "synergy", None, atoms.synergy
