"""Compiled sweep of a strip of rows, with tiles in registers; docs/ipfp.md describes it.

The loops of `sweep_strip` call routines with addresses, each a few lines of LLVM IR, so the result
does not depend on a compiler's vectorisation. A tile has 8 rows and 32 columns, 16 vectors of 16
numbers. ln and exp are those of Cephes (S. Moshier): a polynomial of the mantissa, and the exponent
from the bits of the number. They accept normal numbers; the error is below 2 units in the last
place.

All compiled functions are in this file, because Numba's cache checks the date of one file only.
"""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
from __future__ import annotations

from inspect import signature

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

ROWS, COLUMNS = 8, 32  # of a tile
GROUP = 4  # Number of classes in one sum over rows.
SCRATCH = 5 * ROWS * COLUMNS + COLUMNS
FIT, MULTIPLY, EXTRAPOLATE = range(3)  # the update of k

_LANES = 16
_HALVES = COLUMNS // _LANES
_BYTES = 4
_TILE_BYTES, _ROW_BYTES, _LANES_BYTES = ROWS * COLUMNS * _BYTES, COLUMNS * _BYTES, _LANES * _BYTES
_FLOAT, _INT = ir.FloatType(), ir.IntType(32)
# ln 2 in two parts; the first has few digits, so its multiples are exact.
_LOG_2, _LOG_2_REST = 0.693359375, -2.12194440e-4
_LOG = (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)  # fmt: skip
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
        5.0000001201e-1)  # fmt: skip


class _Vector:
    """LLVM's operations on vectors of float32, as operators."""

    def __init__(self, builder, value):
        self.builder, self.value = builder, value

    def __add__(self, other):
        return self._with(self.builder.fadd(self.value, other.value))

    def __sub__(self, other):
        return self._with(self.builder.fsub(self.value, other.value))

    def __mul__(self, other):
        return self._with(self.builder.fmul(self.value, other.value))

    def times(self, factor, plus):
        """Return self · factor + plus, in one operation if the processor has it."""
        kind = self.value.type
        name, values = f"llvm.fmuladd.v{kind.count}f32", (self.value, factor.value, plus.value)
        return self._with(_call(self.builder, name, kind, *values))

    def of(self, number):
        """Return a constant."""
        return self._with(ir.Constant(self.value.type, [number] * self.value.type.count))

    def beyond(self, sign, other):
        """Return the larger or smaller of self and the other."""
        test = self.builder.fcmp_ordered(sign, self.value, other.value)
        return self._with(self.builder.select(test, self.value, other.value))

    def polynomial(self, coefficients):
        total = self.of(coefficients[0])
        for number in coefficients[1:]:
            total = total.times(self, self.of(number))
        return total

    def log(self):
        build = self.builder
        # Relative to √½, the exponent's bits are those of the nearest power of two.
        beyond = build.sub(self._bits(), self._integers(0x3F3504F3))
        exponent = build.ashr(beyond, self._integers(23))
        mantissa = build.sub(self._bits(), build.shl(exponent, self._integers(23)))
        x, power = self._from_bits(mantissa), self._with(build.sitofp(exponent, self.value.type))
        x = x - self.of(1.0)
        square = x * x
        rest = square.times(self.of(-0.5), power * self.of(_LOG_2_REST))
        rest = (square * x).times(x.polynomial(_LOG), rest)
        return power.times(self.of(_LOG_2), x + rest)

    def exp(self):
        # After adding 1.5 · 2²³ the last bits are the nearest integer.
        shift = self.of(12582912.0)
        shifted = self.times(self.of(1.4426950408889634), shift)
        whole = shifted - shift
        x = whole.times(self.of(-_LOG_2), self)
        x = whole.times(self.of(-_LOG_2_REST), x)
        value = x.polynomial(_EXP).times(x * x, x) + self.of(1.0)
        power = self.builder.shl(shifted._bits(), self._integers(23))
        return self._from_bits(self.builder.add(value._bits(), power))

    def _with(self, value):
        return _Vector(self.builder, value)

    def _bits(self):
        return self.builder.bitcast(self.value, ir.VectorType(_INT, self.value.type.count))

    def _from_bits(self, bits):
        return self._with(self.builder.bitcast(bits, self.value.type))

    def _integers(self, number):
        count = self.value.type.count
        return ir.Constant(ir.VectorType(_INT, count), [number] * count)


class _Memory:
    """Numbers from an address on, with offsets in numbers."""

    def __init__(self, builder, address):
        self.builder, self.address = builder, address

    def load(self, place=0, lanes=_LANES):
        kind = ir.VectorType(_FLOAT, lanes)
        pointer = self._pointer(place, kind)
        return _Vector(self.builder, self.builder.load(pointer, align=_BYTES, typ=kind))

    def spread(self, place, lanes=_LANES):
        """Load one number into all lanes."""
        pointer = self._pointer(place, _FLOAT)
        number = self.builder.load(pointer, align=_BYTES, typ=_FLOAT)
        return _spread(self.builder, number, lanes)

    def store(self, vector, place=0):
        pointer = self._pointer(place, vector.value.type)
        self.builder.store(vector.value, pointer, align=_BYTES)

    def fetch(self, place):
        """Prefetch numbers for reading and writing."""
        hints = (ir.Constant(_INT, hint) for hint in (1, 3, 1))
        pointer = self._pointer(place, ir.IntType(8))
        _call(self.builder, "llvm.prefetch.p0", ir.VoidType(), pointer, *hints)

    def _pointer(self, place, kind):
        place = _number(place) if isinstance(place, int) else place
        address = self.builder.add(self.address, self.builder.mul(place, _number(_BYTES)))
        return self.builder.inttoptr(address, kind.as_pointer())


class _Sums:
    """Sums of a loop, kept in registers by LLVM."""

    def __init__(self, builder, starts):
        self.builder = builder
        self._places = [cgutils.alloca_once(builder, start.value.type) for start in starts]
        for place, start in zip(self._places, starts, strict=True):
            builder.store(start.value, place)

    def __getitem__(self, at):
        return _Vector(self.builder, self.builder.load(self._places[at]))

    def add(self, at, left, right):
        self.builder.store(left.times(right, self[at]).value, self._places[at])


def _number(value):
    return ir.Constant(ir.IntType(64), value)


def _call(builder, name, kind, *values):
    shape = ir.FunctionType(kind, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, shape, name), values)


def _spread(builder, number, lanes=_LANES):
    kind = ir.VectorType(_FLOAT, lanes)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), number, ir.Constant(_INT, 0))
    zeros = ir.Constant(ir.VectorType(_INT, lanes), [0] * lanes)
    return _Vector(builder, builder.shuffle_vector(first, first, zeros))


def _routine(write):
    """Make a function that writes LLVM IR callable from Numba's loops."""

    def define(_context, *kinds):
        def generate(context, builder, _signature, values):
            write(builder, *values)
            return context.get_dummy_value()

        return types.void(*map(types.unliteral, kinds)), generate

    define.__signature__ = signature(write)  # type: ignore[attr-defined]
    return intrinsic(define)


@_routine
def _scores(build, u, v, s, stride, n_classes):
    """Set a tile of s to u v: 8 rows of u with a stride, and a tile's columns of v."""
    u, v, s = (_Memory(build, address) for address in (u, v, s))
    sums = _Sums(build, [_spread(build, ir.Constant(_FLOAT, 0.0))] * (ROWS * _HALVES))
    with cgutils.for_range(build, n_classes) as loop:
        at = build.mul(loop.index, _number(COLUMNS))
        across = [v.load(build.add(at, _number(_LANES * h))) for h in range(_HALVES)]
        for i in range(ROWS):
            one = u.spread(build.add(build.mul(stride, _number(i)), loop.index))
            for h in range(_HALVES):
                sums.add(i * _HALVES + h, one, across[h])
    for n in range(ROWS * _HALVES):
        s.store(sums[n], n * _LANES)


@_routine
def _product(build, tile, w, out, stride):
    """Add a tile times w to 8 rows of all classes, padded to a multiple of 8."""
    tile, w, out = (_Memory(build, address) for address in (tile, w, out))
    full = build.lshr(stride, _number(4))
    with cgutils.for_range(build, full) as loop:
        _add_product(build, tile, w, out, stride, build.shl(loop.index, _number(4)), 16)
    odd = build.icmp_signed("!=", build.and_(stride, _number(8)), _number(0))
    with build.if_then(odd):
        _add_product(build, tile, w, out, stride, build.shl(full, _number(4)), 8)


def _add_product(build, tile, w, out, stride, at, lanes):
    """Add the product for as many classes as a vector has lanes."""
    places = [build.add(at, build.mul(stride, _number(i))) for i in range(ROWS)]
    sums = _Sums(build, [out.load(place, lanes) for place in places])
    with cgutils.for_range(build, _number(COLUMNS)) as loop:
        across = w.load(build.add(at, build.mul(loop.index, stride)), lanes)
        for i in range(ROWS):
            one = tile.spread(build.add(loop.index, _number(i * COLUMNS)), lanes)
            sums.add(i, one, across)
    for i, place in enumerate(places):
        out.store(sums[i], place)


@_routine
def _gather(build, k, stride, n_rows, u, u_stride, total, groups):
    """Add kᵀ u to a tile's columns of all classes, padded to a multiple of 4."""
    k, u, total = (_Memory(build, address) for address in (k, u, total))
    with cgutils.for_range(build, groups) as loop:
        first = build.mul(loop.index, _number(GROUP))
        at = build.mul(first, _number(COLUMNS))
        places = [build.add(at, _number(_LANES * n)) for n in range(GROUP * _HALVES)]
        sums = _Sums(build, [total.load(place) for place in places])
        with cgutils.for_range(build, n_rows) as rows:
            row, u_row = build.mul(rows.index, stride), build.mul(rows.index, u_stride)
            across = [k.load(build.add(row, _number(_LANES * h))) for h in range(_HALVES)]
            for c in range(GROUP):
                one = u.spread(build.add(u_row, build.add(first, _number(c))))
                for h in range(_HALVES):
                    sums.add(c * _HALVES + h, one, across[h])
        for n, place in enumerate(places):
            total.store(sums[n], place)


@_routine
def _multiply(build, k, s, tile):
    """Multiply a vector of k by s, and store it in a tile."""
    new = _Memory(build, k).load() * _Memory(build, s).load()
    _Memory(build, k).store(new)
    _Memory(build, tile).store(new)


@_routine
def _extrapolate(build, k, log_r, previous, s, tile, p_x2, progress, p_x1, measure, numbers):
    """Step a vector of ln r as `MirrorStep` does, and store the new k in a tile."""
    k, log_r, previous, s, tile, p_x2, progress = (
        _Memory(build, address) for address in (k, log_r, previous, s, tile, p_x2, progress)
    )
    relaxation, weight, least_s, least_log, most_log = (
        _spread(build, build.extract_value(numbers, n)) for n in range(5)
    )
    log_r.fetch(3 * COLUMNS)
    previous.fetch(3 * COLUMNS)
    log_s = s.load().beyond(">", least_s).log()
    plain = relaxation.times(log_s, log_r.load())
    move = weight * (plain - previous.load())
    with build.if_then(measure):
        change = k.load() * log_s * p_x2.load() * _spread(build, p_x1)
        progress.store(progress.load() + change.beyond(">", change.of(0.0) - change))
        progress.store(progress.load(_LANES) - change * move, _LANES)
    ahead = (plain + move).beyond(">", least_log).beyond("<", most_log)
    new = ahead.exp()
    for memory, vector in ((log_r, plain), (previous, ahead), (k, new), (tile, new)):
        memory.store(vector)


@_routine
def _copy(build, source, stride, target, target_stride, n_rows, n_columns):
    """Copy a tile; the last tile may have fewer columns."""
    source, target = _Memory(build, source), _Memory(build, target)
    with cgutils.for_range(build, n_rows) as rows:
        here, there = (build.mul(rows.index, s) for s in (stride, target_stride))
        whole = build.icmp_signed("==", n_columns, _number(COLUMNS))
        with build.if_else(whole) as (all_columns, some):
            with all_columns:
                for half in (_number(_LANES * h) for h in range(_HALVES)):
                    target.store(source.load(build.add(here, half)), build.add(there, half))
            with some, cgutils.for_range(build, n_columns) as loop:
                one = source.load(build.add(here, loop.index), 1)
                target.store(one, build.add(there, loop.index))


def sweep_strip(
    kernel, log_r, previous, v, weighted, p_x2, total,
    scratch, p_x1, first, fitted, u, progress, products, now,
    n2, mode, refit, measure, tiny, numbers,
):  # fmt: skip
    """Sweep a strip of rows of one problem.

    Parameters
    ----------
    kernel, log_r, previous : int
        Addresses of (n, n2) tables, rewritten unless the mode is to fit.
    v, weighted, p_x2, total : int
        Addresses of (tiles, C, 32), (tiles, 32, C₈), (tiles, 32) and (tiles, C₄, 32), by column
        tile, with classes padded to a multiple of 8 and 4; kᵀ (p(x₁) u) is added to `total`.
    scratch, products, now : array
        Working arrays: `SCRATCH`, (8, C₈) and (8, C₈) zeros.
    p_x1, first, fitted, u : array
        (n, 1), and (n, C): p(x₁), p(y|x₁), u fitted to the old k (an input without `refit`), and
        u fitted to the new k.
    progress : array
        (2,), float64: sums of `MirrorStep.progress`.
    n2, mode, refit, measure, tiny, numbers
        Number of columns; update of k; whether to fit u to the old k; whether to compute the
        progress; lower limit of a product; (5,): ω, the weight, the smallest s, and the smallest
        and largest ln k.
    """
    (n, n_classes), padded = first.shape, now.shape[1]
    groups, n_tiles = (n_classes + GROUP - 1) // GROUP, (n2 + COLUMNS - 1) // COLUMNS
    v_bytes, w_bytes = n_classes * _ROW_BYTES, padded * _ROW_BYTES
    total_bytes = groups * GROUP * _ROW_BYTES
    tile = np.int64(scratch.ctypes.data)
    out, now_at = products.ctypes.data, now.ctypes.data
    s, part, lanes = tile + _TILE_BYTES, tile + 2 * _TILE_BYTES, tile + 5 * _TILE_BYTES
    five = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    n_moved = 1 if mode == MULTIPLY else 3
    for row in range(0, n, ROWS):
        n_rows = min(ROWS, n - row)
        if refit or mode == FIT:
            products.fill(0.0)
            for j in range(n_tiles):
                at, n_columns = (row * n2 + j * COLUMNS) * _BYTES, min(COLUMNS, n2 - j * COLUMNS)
                _copy(kernel + at, n2, tile, COLUMNS, n_rows, n_columns)
                _product(tile, weighted + j * w_bytes, out, padded)
            _fit(first, products, row, n_rows, tiny, fitted)
        for i in range(n_rows):
            for c in range(n_classes):
                now[i, c] = fitted[row + i, c]
        if mode != FIT:
            products.fill(0.0)
            for j in range(n_tiles):
                _scores(now_at, v + j * v_bytes, s, padded, n_classes)
                at, n_columns = (row * n2 + j * COLUMNS) * _BYTES, min(COLUMNS, n2 - j * COLUMNS)
                k, r, r0, stride = kernel + at, log_r + at, previous + at, n2
                if n_columns < COLUMNS:  # Separate tiles: vectors would reach other rows.
                    for t in range(n_moved):
                        _copy((k, r, r0)[t], n2, part + t * _TILE_BYTES, COLUMNS, n_rows, n_columns)
                    k, r, r0 = part, part + _TILE_BYTES, part + 2 * _TILE_BYTES
                    stride = COLUMNS
                for i in range(n_rows):
                    for half in range(0, _ROW_BYTES, _LANES_BYTES):
                        to, of = i * stride * _BYTES + half, i * _ROW_BYTES + half
                        if mode == MULTIPLY:
                            _multiply(k + to, s + of, tile + of)
                            continue
                        p2 = p_x2 + j * _ROW_BYTES + half
                        _extrapolate(
                            k + to, r + to, r0 + to, s + of, tile + of, p2, lanes, p_x1[row + i, 0],
                            measure, five,
                        )  # fmt: skip
                if n_columns < COLUMNS:
                    for t in range(n_moved):
                        target = (kernel + at, log_r + at, previous + at)[t]
                        _copy(part + t * _TILE_BYTES, COLUMNS, target, n2, n_rows, n_columns)
                _product(tile, weighted + j * w_bytes, out, padded)
            _fit(first, products, row, n_rows, tiny, u)
            for lane in range(2 * _LANES):
                progress[lane // _LANES] += scratch[SCRATCH - 2 * _LANES + lane]
                scratch[SCRATCH - 2 * _LANES + lane] = 0.0
        for i in range(n_rows):
            for c in range(n_classes):
                now[i, c] = u[row + i, c] * p_x1[row + i, 0]
        for j in range(n_tiles):
            k, stride = kernel + (row * n2 + j * COLUMNS) * _BYTES, n2
            if n2 - j * COLUMNS < COLUMNS:
                _copy(k, n2, tile, COLUMNS, n_rows, n2 - j * COLUMNS)
                k, stride = tile, COLUMNS
            _gather(k, stride, n_rows, now_at, padded, total + j * total_bytes, groups)


@njit(error_model="numpy")
def _fit(first, products, row, n_rows, tiny, u):
    for i in range(n_rows):
        for c in range(first.shape[1]):
            u[row + i, c] = first[row + i, c] / max(products[i, c], tiny)
