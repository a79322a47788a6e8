"""Adapter made of functions, for models of no known family.

Name the modules where each modality stands, layer by layer, and give a function that prepares a
batch. Nothing of the model is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from modalprism.capture.adapter import Adapter, Site
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError

Prepare = Callable[[Sequence[Example]], Mapping[str, Tensor]]
Spans = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]
Answer = Callable[[Any], Tensor]


class ModuleAdapter(Adapter):
    """Adapter of any `torch.nn.Module`, described by the modules of each modality.

    Parameters
    ----------
    model : Module
    prepare : callable
        Examples → keyword arguments of the model's forward pass.
    layers : mapping of modality to sequence of str or Site
        Dotted paths of modules, the first of them before fusion; their outputs are read. A `Site`
        says more: its layer is then its own, and ``call`` is which call of the module is meant
        where it runs more than once in a forward pass.
    spans : callable, optional
        Prepared inputs → mask of positions (b, t) of every modality that does not fill its states.
    answer : callable, optional
        The model's output → probabilities of the candidate answers (b, C).
    candidates : sequence of str
        What the columns of `answer` are.
    fusion : str
        In words, for the store.
    tokenizer : object, optional
        The tokenizer of the transformers library that `prepare` uses, if it gives ``input_ids``
        and ``attention_mask``. The store then has the prompt as the model got it, and a count of
        the texts that `prepare` cut; without, it has the first example's text as it was given.

    Raises
    ------
    InputError
        If there are not two modalities, or one has no layer.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> class Pair(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.image, self.text = nn.Linear(2, 3), nn.Linear(2, 3)
    ...         self.head = nn.Linear(6, 2)
    ...     def forward(self, image, text):
    ...         return self.head(torch.cat([self.image(image), self.text(text)], 1))
    >>> def prepare(examples):
    ...     return {m: torch.stack([e.inputs[m] for e in examples]) for m in ("image", "text")}
    >>> adapter = ModuleAdapter(Pair(), prepare, {"image": ["image"], "text": ["text"]},
    ...                         answer=lambda logits: logits.softmax(1))
    >>> [(site.layer, site.module) for site in adapter.sites()]
    [(0, 'image'), (0, 'text')]
    """

    fused: Literal["spans", "last", "none"] = "spans"  # type: ignore[misc]

    def __init__(
        self,
        model: nn.Module,
        prepare: Prepare,
        layers: Mapping[str, Sequence[str | Site]],
        *,
        spans: Spans | None = None,
        answer: Answer | None = None,
        candidates: Sequence[str] = (),
        fusion: str = "from layer 1 on",
        tokenizer: Any = None,
    ) -> None:
        super().__init__(model, tokenizer, candidates)
        for modality, places in layers.items():
            if isinstance(places, str):
                raise InputError(f"the layers of {modality!r} are a list of names: [{places!r}]")
        if len(layers) != 2 or not all(layers.values()):
            raise InputError(
                f"name the layers of two modalities; there are {', '.join(layers) or 'none'}"
            )
        self.modalities = tuple(layers)  # type: ignore[misc, assignment]
        self.fusion = fusion  # type: ignore[misc]
        self._prepare, self._spans, self._answer = prepare, spans, answer
        self._sites = tuple(
            place if isinstance(place, Site) else Site(layer, place, (modality,))
            for modality, places in layers.items()
            for layer, place in enumerate(places)
        )

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Call the function that was given."""
        return dict(self._prepare(examples))

    def sites(self) -> tuple[Site, ...]:
        """Return the named sites."""
        return self._sites

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Call the function that was given; without one all positions count."""
        return dict(self._spans(inputs)) if self._spans else {}

    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor | None:  # noqa: ARG002
        """Call the function that was given."""
        if self._answer is None:
            return None
        answer = self._answer(output)
        total = answer.sum(1)
        if answer.ndim != 2 or not torch.allclose(total, torch.ones_like(total), atol=1e-3):
            raise InputError(
                f"the answer has shape {tuple(answer.shape)} and rows that sum to "
                f"{float(total[0]):.3g}; give probabilities (b, C), such as a softmax of the logits"
            )
        return answer
