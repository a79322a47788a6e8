"""The gates of two sources, with their atoms in closed form.

An atom that is left out is 0. Most follow from what each source tells by itself: of two alike, or
of one that is a degraded form of the other, the lesser has nothing unique. The tests hold every
gate against the solver's certificate, and twenty of them against an independent cone program.
"""

from __future__ import annotations

from itertools import product
from math import log2

from modalprism.pid.gates.definition import Gate

_WILLIAMS_BEER = "Williams and Beer 2010, arXiv:1004.2515"
_GRIFFITH_KOCH = "Griffith and Koch 2014, arXiv:1205.4265"
_GRIFFITH_ET_AL = "Griffith, Chong, James, Ellison and Crutchfield 2014, doi:10.3390/e16041985"
_FINN_LIZIER = "Finn and Lizier 2018, doi:10.3390/e20040297"
_INCE = "Ince 2017, doi:10.3390/e19070318"
_JAMES_CRUTCHFIELD = "James and Crutchfield 2017, doi:10.3390/e19100531"
_RAUH = "Rauh, Banerjee, Olbrich, Jost and Bertschinger 2017, doi:10.3390/e19070328"
_DIT = "dit: James, Ellison and Crutchfield 2018, doi:10.21105/joss.00738"


def _entropy(p: float) -> float:
    """Binary entropy h(p) in bits."""
    return -p * log2(p) - (1 - p) * log2(1 - p)


def _uniform(outcomes: str) -> tuple[tuple[int, int, int, float], ...]:
    """Equally likely outcomes, each written as three digits x₁x₂y."""
    words = outcomes.split()
    return tuple((int(w[0]), int(w[1]), int(w[2]), 1 / len(words)) for w in words)


def _weighted(**outcomes: float) -> tuple[tuple[int, int, int, float], ...]:
    """Outcomes _x₁x₂y with their probabilities."""
    return tuple((int(w[1]), int(w[2]), int(w[3]), p) for w, p in outcomes.items())


# What one input of AND tells: I(X₁;Y) = h(1/4) − h(1/2)/2.
_ONE_INPUT = 0.75 * log2(4 / 3)
# What one of three exclusive alarms tells: I(X₁;Y) = h(1/3) − 2/3.
_ONE_ALARM = log2(3) - 4 / 3
# What the weaker source of five equally likely outcomes tells: h(2/5) − 2/5 − 3/5 h(1/3).
_ONE_OF_FIVE = _entropy(2 / 5) - 2 / 5 - 3 / 5 * _entropy(1 / 3)

TWO_SOURCE_GATES = (
    Gate(
        name="rdn",
        about="both sources are the target: one shared bit",
        rows=_uniform("000 111"),
        redundancy=1,
        information=1,
        citation=_GRIFFITH_KOCH,
    ),
    Gate(
        name="unq1",
        about="the target copies source 1; source 2 is a bit of its own",
        rows=_uniform("000 010 101 111"),
        unique=(1, 0),
        information=1,
        citation=_DIT,
    ),
    Gate(
        name="unq2",
        about="the target copies source 2; source 1 is a bit of its own",
        rows=_uniform("000 011 100 111"),
        unique=(0, 1),
        information=1,
        citation=_DIT,
    ),
    Gate(
        name="copy",
        about="the target is both of two independent bits, also known as UNQ",
        rows=_uniform("000 011 102 113"),
        unique=(1, 1),
        information=2,
        citation=_GRIFFITH_KOCH,
    ),
    Gate(
        name="xor",
        about="the target is the exclusive or of two independent bits",
        rows=_uniform("000 011 101 110"),
        synergy=1,
        information=1,
        citation=_GRIFFITH_KOCH,
    ),
    Gate(
        name="and",
        about="the target is the logical and of two independent bits",
        rows=_uniform("000 010 100 111"),
        redundancy=_ONE_INPUT,
        synergy=1 / 2,
        information=_entropy(1 / 4),
        citation=_GRIFFITH_KOCH,
    ),
    Gate(
        name="sum",
        about="the target is the sum of two independent bits; XORAND with its values renamed",
        rows=_uniform("000 011 101 112"),
        redundancy=1 / 2,
        synergy=1,
        information=3 / 2,
        citation=_DIT,
    ),
    Gate(
        name="reduced_or",
        about="the target is the or of two bits never both 1",
        rows=_weighted(_000=1 / 2, _011=1 / 4, _101=1 / 4),
        redundancy=_ONE_INPUT,
        synergy=1 - _ONE_INPUT,
        information=1,
        citation=_INCE,
    ),
    Gate(
        name="w",
        about="exactly one of source 1, source 2 and the target is 1",
        rows=_uniform("001 010 100"),
        redundancy=_ONE_ALARM,
        synergy=2 / 3,
        information=_entropy(1 / 3),
        citation=_DIT,
    ),
    Gate(
        name="rand",
        about="the target copies one of two independent bits, picked by a coin",
        rows=_weighted(_000=1 / 4, _010=1 / 8, _011=1 / 8, _100=1 / 8, _101=1 / 8, _111=1 / 4),
        redundancy=1 - _entropy(1 / 4),
        synergy=_entropy(1 / 4) - 1 / 2,
        information=1 / 2,
        citation=_DIT,
    ),
    Gate(
        name="diff",
        about="the target is 1 where source 1 is 1, 0 where source 2 is 1, else a coin",
        rows=_uniform("000 001 010 101"),
        redundancy=2 * _ONE_INPUT - 1 / 2,
        unique=(1 / 2 - _ONE_INPUT, 1 / 2 - _ONE_INPUT),
        information=1 / 2,
        citation=_DIT,
    ),
    Gate(
        name="simple",
        about="both sources are the same bit; the target is that bit and a coin",
        rows=_weighted(_000=1 / 2, _110=1 / 4, _111=1 / 4),
        redundancy=_entropy(1 / 4) - 1 / 2,
        information=_entropy(1 / 4) - 1 / 2,
        citation=_DIT,
    ),
    Gate(
        name="imperfect_rdn",
        about="both sources are the target, but for one thousandth in which source 2 errs",
        rows=_weighted(_000=0.499, _010=0.001, _111=0.5),
        redundancy=1 - 0.501 * _entropy(1 / 501),
        unique=(0.501 * _entropy(1 / 501), 0),
        information=1,
        citation=_GRIFFITH_ET_AL,
    ),
    Gate(
        name="pointwise_unique",
        about="one source, which of them by chance, knows the target and the other knows nothing",
        rows=_uniform("010 021 100 201"),
        redundancy=1 / 2,
        synergy=1 / 2,
        information=1,
        citation=_FINN_LIZIER,
    ),
    Gate(
        name="f1",
        about="the target is source 1 where source 2 is 1, and 2 elsewhere",
        rows=_uniform("002 010 102 111"),
        unique=(1 / 2, 1),
        information=3 / 2,
        citation=_RAUH,
    ),
    Gate(
        name="wb1",
        about="two bits never both 1; the target is both of them",
        rows=_uniform("000 011 102"),
        redundancy=_ONE_ALARM,
        unique=(2 / 3, 2 / 3),
        information=log2(3),
        citation=_WILLIAMS_BEER,
    ),
    Gate(
        name="wb2",
        about="the target is 1 where source 2 is 1; elsewhere source 1 tells whether it is 0 or 2",
        rows=_uniform("000 011 111 102"),
        unique=(1 / 2, 1),
        information=3 / 2,
        citation=_WILLIAMS_BEER,
    ),
    Gate(
        name="wb3",
        about="source 1 tells nothing alone, but much beside source 2",
        rows=_uniform("000 011 012 102 110 111"),
        unique=(0, _ONE_ALARM),
        synergy=2 / 3,
        information=_entropy(1 / 3),
        citation=_INCE,
    ),
    Gate(
        name="prob1",
        about="two bits never both 1; the target is 0 where source 1 is 1, and a coin elsewhere",
        rows=_uniform("000 001 010 011 100"),
        redundancy=_ONE_OF_FIVE,
        unique=(3 / 5 * _entropy(1 / 3) - 2 / 5, 0),
        information=_entropy(2 / 5) - 4 / 5,
        citation=_DIT,
    ),
    Gate(
        name="prob2",
        about="the target is 1 where source 1 is 1 or source 2 is 2, never both",
        rows=_uniform("000 010 021 101"),
        redundancy=_ONE_INPUT,
        unique=(0, 1 / 2 - _ONE_INPUT),
        synergy=1 / 2,
        information=1,
        citation=_DIT,
    ),
    Gate(
        name="not_two",
        about="not exactly two of source 1, source 2 and the target are 1",
        rows=_uniform("000 001 010 100 111"),
        redundancy=_ONE_OF_FIVE,
        synergy=3 / 5 * _entropy(1 / 3),
        information=_entropy(2 / 5) - 2 / 5,
        citation=_DIT,
    ),
    Gate(
        name="boom",
        about="three values each, all four atoms positive; measures of redundancy part on it",
        rows=_uniform("001 002 020 121 202 212"),
        redundancy=1 / 3,
        unique=(1 / 3, 1 / 3),
        synergy=log2(3) / 2 - 2 / 3,
        information=log2(3) / 2 + 1 / 3,
        citation=_DIT,
    ),
    Gate(
        name="gband",
        about="a shared bit beside the logical and of two independent bits",
        rows=_uniform("000 010 100 111 222 232 322 333"),
        redundancy=1 + _ONE_INPUT,
        synergy=1 / 2,
        information=1 + _entropy(1 / 4),
        citation=_DIT,
    ),
    Gate(
        name="rdnxor",
        about="a shared bit beside the exclusive or of two independent bits",
        rows=_uniform("000 011 101 110 222 233 323 332"),
        redundancy=1,
        synergy=1,
        information=2,
        citation=_GRIFFITH_KOCH,
    ),
    Gate(
        name="rdnunqxor",
        about="a shared bit, a bit unique to each source, and the exclusive or of two more",
        rows=tuple(
            (4 * r + 2 * u1 + b1, 4 * r + 2 * u2 + b2, 8 * r + 4 * u1 + 2 * u2 + (b1 ^ b2), 1 / 32)
            for r, u1, u2, b1, b2 in product((0, 1), repeat=5)
        ),
        redundancy=1,
        unique=(1, 1),
        synergy=1,
        information=4,
        citation=_GRIFFITH_KOCH,
    ),
    Gate(
        name="dyadic",
        about="three bits, each shared by two of source 1, source 2 and the target",
        rows=_uniform("000 021 102 123 210 231 312 333"),
        unique=(1, 1),
        information=2,
        citation=_JAMES_CRUTCHFIELD,
    ),
    Gate(
        name="triadic",
        about="a shared bit beside an exclusive or; no measure of Shannon's tells it from dyadic",
        rows=_uniform("000 111 022 133 202 313 220 331"),
        redundancy=1,
        synergy=1,
        information=2,
        citation=_JAMES_CRUTCHFIELD,
    ),
    Gate(
        name="uniform",
        about="three independent bits",
        rows=_uniform("000 001 010 011 100 101 110 111"),
        information=0,
        citation=_DIT,
    ),
    Gate(
        name="null",
        about="both sources are the same bit; the target is a bit of its own",
        rows=_uniform("000 001 110 111"),
        information=0,
        citation=_DIT,
    ),
)
