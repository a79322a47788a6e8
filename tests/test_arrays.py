"""Tensors of every kind are read as arrays, or refused in one sentence, by the one reader."""

import warnings

import numpy as np
import pytest
import torch
from scipy import sparse

import modalprism as mp
from modalprism.arrays import read_array
from modalprism.errors import InputError

X = torch.arange(12, dtype=torch.float32).reshape(6, 2)


def nested(layout, rows=X, **options):
    with warnings.catch_warnings(action="ignore"):  # the library's, of its prototypes
        return torch.nested.nested_tensor(list(rows), layout=layout, **options)


def quantized(rows=X):
    with warnings.catch_warnings(action="ignore"):
        return torch.quantize_per_tensor(rows, 1.0, 0, torch.quint8)


def masked(mask):
    with warnings.catch_warnings(action="ignore"):
        return torch.masked.masked_tensor(X, mask)


def freed():
    tensor = X.clone()
    tensor.untyped_storage().resize_(0)
    return tensor


READ = {
    "nested": lambda: nested(torch.strided),
    "nested, jagged": lambda: nested(torch.jagged),
    "nested, with gradients": lambda: nested(torch.strided, requires_grad=True),
    "nested, bfloat16": lambda: nested(torch.strided, X.bfloat16()),
    "quantized": quantized,
    "rows that are quantized": lambda: [quantized(row) for row in X],
    "of the layout mkldnn": X.to_mkldnn,
    "masked nowhere": lambda: masked(torch.ones_like(X, dtype=torch.bool)),
    "negated": lambda: torch._neg_view(-X),
}


@pytest.mark.parametrize("kind", list(READ))
def test_tensors_are_read(kind):
    assert np.array_equal(read_array("x", READ[kind]()), X.numpy())


UNEVEN = [torch.ones(1 + row % 3) for row in range(6)]
SPARSE, EMPTY = "x is a sparse matrix; convert it", "x is a tensor without values"
REFUSED = {
    "nested": (lambda: nested(torch.strided, UNEVEN), "row 0 has 1 values and row 1 has 2"),
    "jagged": (lambda: nested(torch.jagged, UNEVEN), "row 0 has 1 values and row 1 has 2"),
    "nested in a list": (lambda: [nested(torch.strided)] * 2, "x holds nested tensors in a list"),
    "coordinates": (X.to_sparse, SPARSE),
    "compressed rows": (lambda: torch.eye(2).to_sparse_csr(), SPARSE),
    "sparse rows": (lambda: [row.to_sparse() for row in X], SPARSE),
    "sparse rows of SciPy": (lambda: [sparse.csr_array(np.eye(2))] * 2, SPARSE),
    "meta": (lambda: X.to("meta"), EMPTY),
    "a parameter on meta": (lambda: torch.nn.Parameter(X.to("meta")), EMPTY),
    "rows on meta": (lambda: list(X.to("meta")), EMPTY),
    "never initialised": (torch.nn.UninitializedParameter, EMPTY),
    "freed": (freed, "x is a tensor whose memory was freed"),
    "masked": (lambda: masked(X > 1), "x has masked values"),
    "a packed type": (lambda: torch.empty(6, 2, dtype=torch.int4), "x cannot be read as an array"),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR")
@pytest.mark.parametrize("kind", list(REFUSED))
def test_tensors_without_values_are_refused(kind):
    make, words = REFUSED[kind]
    with pytest.raises(InputError, match=words):
        read_array("x", make())


@pytest.mark.filterwarnings("ignore:Sparse CSR")
@pytest.mark.parametrize("kind", list(REFUSED))
@pytest.mark.parametrize("role", ["embedding", "target", "group"])
def test_analyze_refuses_them_wherever_they_stand(kind, role):
    given = {"embedding": X.numpy(), "target": [0, 1] * 3, "group": None}
    given[role] = REFUSED[kind][0]()
    embeddings = {"image": given["embedding"], "text": X.numpy()}
    with pytest.raises(InputError):
        mp.analyze(embeddings, given["target"], groups=given["group"])
