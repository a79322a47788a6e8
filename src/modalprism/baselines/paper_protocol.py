"""The paper's protocol, as far as it is public, left as it is for comparison.

Each example's tokens are coded and counted (`paper_tables`), and the table's atoms are
found by the paper's iteration (`paper_fitting`). Two things are added. The same tables decomposed
by our certified solver separate the optimiser's error, which is small, from that of counting a
handful of tokens in a thousand cells. A null, the same protocol on independent tokens, shows what
it reads where there is nothing.
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
    fused_sites,
    read_tokens,
    shuffled,
)
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
        modalities = subject.adapter.modalities
        text = modalities.index("text") if "text" in modalities else 1
        layers = self._layers(subject)
        coded: dict[int, list[tuple[Codes, Codes | None]]] = {layer: [] for layer in layers}
        for tokens in read_tokens(runner, layers, f"reading tokens of {subject.model}"):
            length = len(tokens.sources[text])
            symbols = length // 2 + 1 if self.symbols == HALF else int(self.symbols)
            for layer, fused in tokens.fused.items():
                # One generator for each layer, so that results do not depend on the other layers.
                generator = np.random.default_rng([seed, tokens.place, layer])
                coded[layer].append(self._coded((*tokens.sources, fused), symbols, generator))
        for layer, codes in coded.items():
            where = "" if self.layers is None else f" at layer {layer}"
            triples = [of_example for of_example, _ in codes]
            null = [noise for _, noise in codes if noise is not None] or shuffled(triples, seed)
            for of, tables in (("", triples), ("null", null)):
                for by, solver in (("", fitted_atoms), ("certified", certified_atoms)):
                    if by and not self.certified:
                        continue
                    words = ", ".join(filter(None, (of, by)))
                    how = f" ({words})" if words else ""
                    atoms = atoms_of(tables, solver)
                    for quantity, modality, values in _quantities(atoms, modalities):
                        unit = "1" if quantity == "contribution" else "bit"
                        yield Measured(f"{quantity}{how}{where}", modality, values, unit)

    def _coded(
        self, tokens: Sequence[Array], symbols: int, generator: np.random.Generator
    ) -> tuple[Codes, Codes | None]:
        """Return the codes of one example, and of Gaussian tokens in their place if wanted."""
        codes = coded_triples(tokens, symbols, self.pairing, generator)
        if self.null != "gaussian":
            return codes, None
        noise = [generator.standard_normal(sequence.shape) for sequence in tokens]
        return codes, coded_triples(noise, symbols, self.pairing, generator)

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
    rows = [(d.redundancy, *d.unique, d.synergy) for d in found]
    return Atoms(*np.array(rows, dtype=np.float64).T)  # None becomes nan


def _quantities(
    atoms: Atoms, modalities: tuple[str, str]
) -> Iterator[tuple[str, str | None, Array]]:
    for modality, part in zip(modalities, atoms.contribution(), strict=True):
        yield "contribution", modality, part
    yield "redundancy", None, atoms.redundancy
    for modality, of in zip(modalities, (atoms.unique_first, atoms.unique_second), strict=True):
        yield "unique", modality, of
    yield "synergy", None, atoms.synergy
