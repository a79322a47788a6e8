"""Base class of adapters, which describe a family of models to capture.

An adapter prepares a batch of examples, lists the places of states in the network (`Site`), assigns
positions to modalities (spans), and reads the answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import torch
from torch import Tensor, nn

from modalprism.datasets.dataset import Example
from modalprism.errors import InputError
from modalprism.suggest import suggestion

BEFORE_FUSION: Final = 0
"""The layer at which each modality is read before it meets the other."""
_NAMED: Final = 5  # candidates that a message names


@dataclass(frozen=True)
class Site:
    """A place in a network where states are read.

    Attributes
    ----------
    layer : int
        0 is before fusion.
    module : str
        Dotted path of the module, as ``named_modules`` has it; empty for the whole network.
    modalities : tuple of str
        Whose spans stand there; all are read from the same tensor.
    reads : {"output", "input"}
        What leaves the module, or the first thing that enters it.
    part : int or str
        Which member of a tuple, or field of a model output, is the state; a tensor is itself.
    attention : str
        Dotted path of the layer's self-attention, whose second output are its weights, (b, heads,
        t, t); empty where there is none.
    call : int, optional
        Which call of the module within one forward pass, 0 the first. A module that runs more than
        once, such as one encoder of both modalities, needs it.
    """

    layer: int
    module: str
    modalities: tuple[str, ...]
    reads: Literal["output", "input"] = "output"
    part: int | str = 0
    attention: str = ""
    call: int | None = None

    @property
    def place(self) -> tuple[Any, ...]:
        """Identity of the tensor that is read: module, direction, part and call."""
        return self.module, self.reads, self.part, self.call

    def state_of(self, given: Any) -> Tensor:
        """Return the state among the inputs or outputs of the module.

        Raises TypeError if there is no tensor.
        """
        if isinstance(self.part, str) and hasattr(given, self.part):
            given = getattr(given, self.part)
        elif isinstance(given, Mapping):
            given = given[self.part]
        elif isinstance(given, tuple | list):
            given = given[int(self.part)]
        if not isinstance(given, Tensor):
            raise TypeError(
                f"the {self.reads} of the module {self.module!r} is {type(given).__name__}, no "
                f"tensor: name its part {self.part!r} otherwise"
            )
        return given


def stream(
    modules: Sequence[str], modalities: tuple[str, ...], *, final: str = "", attention: str = ""
) -> tuple[Site, ...]:
    """Return the sites of a stream of layers: the input of the first, and the outputs of all.

    `final` is the module that is read in place of the last layer, such as a final norm; `attention`
    is the name of the self-attention within a layer.

    Examples
    --------
    >>> [site.module for site in stream(["layers.0", "layers.1"], ("text",), final="norm")]
    ['layers.0', 'layers.0', 'norm']
    """
    outputs = (*modules[:-1], final or modules[-1])
    return (
        Site(BEFORE_FUSION, modules[0], modalities, reads="input"),
        *(
            Site(layer, output, modalities, attention=attention and f"{module}.{attention}")
            for layer, (module, output) in enumerate(zip(modules, outputs, strict=True), start=1)
        ),
    )


def module_at(model: nn.Module, path: str) -> nn.Module:
    """Return a module by its dotted path; raises InputError if there is none."""
    try:
        return model.get_submodule(path)
    except AttributeError as error:
        names = dict(model.named_modules(remove_duplicate=False))
        hint = suggestion(path, names) or "; print(model) shows their names"
        raise InputError(f"the model has no module {path!r}{hint}") from error


class Adapter(ABC):
    """One model of a family, ready to be captured.

    Parameters
    ----------
    model : Module
    processor : object
        Whatever prepares inputs; `prepare` knows what it is.
    candidates : sequence of str
        The answers among which the model chooses; the order of the columns of `answer`. Families
        whose answers are their own classes take none.

    Attributes
    ----------
    modalities : (str, str)
    auto_class, processor_class : str
        The classes of ``transformers`` that load the family from a folder or a hub id.
    fusion : str
        In words: which states are of one modality alone, and where the two meet.
    fused : {"spans", "last", "none"}
        The fused state of a layer: both spans' pooled states side by side, the state of the last
        position, from which a decoder answers, or nothing, where no layer fuses.
    """

    modalities: ClassVar[tuple[str, str]] = ("image", "text")
    auto_class: ClassVar[str]
    processor_class: ClassVar[str] = "AutoProcessor"
    fusion: ClassVar[str]
    fused: ClassVar[Literal["spans", "last", "none"]] = "spans"

    def __init__(self, model: nn.Module, processor: Any, candidates: Sequence[str] = ()) -> None:
        self.model = model
        self.processor = processor
        self.candidates = tuple(candidates)

    @classmethod
    def load_processor(cls, library: Any, model: Any, options: Mapping[str, Any]) -> Any:
        """Load what `prepare` needs; `library` is transformers, `options` its revision and trust.

        A family whose own processor needs more than it gives (torchvision, for one) overrides this.
        """
        return getattr(library, cls.processor_class).from_pretrained(model, **options)

    @property
    def tokenizer(self) -> Any:
        """Tokenizer of the processor, or the processor itself; None if neither tokenizes."""
        found = getattr(self.processor, "tokenizer", self.processor)
        return found if hasattr(found, "decode") else None

    def text_length(self, text: str) -> int:
        """Return the number of tokens of a text before truncation, special tokens included."""
        return len(self.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    def candidate_tokens(self) -> Sequence[Sequence[int]]:
        """Return the tokens of each candidate.

        Empty where candidates are not made into tokens.
        """
        return ()

    def unknown_candidates(self) -> list[str]:
        """Return the candidates that contain the tokenizer's unknown token.

        The model then scores the unknown token in place of the candidate.
        """
        tokenizer = self.tokenizer
        unknown = getattr(tokenizer, "unk_token_id", None)
        if unknown is None or unknown == getattr(tokenizer, "eos_token_id", None):
            return []  # it knows every byte
        pairs = zip(self.candidates, self.candidate_tokens(), strict=False)
        return [candidate for candidate, ids in pairs if unknown in ids]

    def same_candidates(self) -> list[str]:
        """Return the candidates with the same tokens as another candidate."""
        tokens = [tuple(ids) for ids in self.candidate_tokens()]
        times = Counter(tokens)
        pairs = zip(self.candidates, tokens, strict=False)
        return [candidate for candidate, ids in pairs if times[ids] > 1]

    def check_candidates(self) -> None:
        """Refuse candidates that are all unknown to the tokenizer, or all the same tokens."""
        tokens = [tuple(ids) for ids in self.candidate_tokens()]
        marks = set(getattr(self.tokenizer, "all_special_ids", ()))
        only_marks = all(marks.issuperset(ids) for ids in tokens)
        names = ", ".join(f"{candidate!r:.60}" for candidate in self.candidates[:_NAMED])
        if tokens and only_marks and len(self.unknown_candidates()) == len(tokens):
            raise InputError(
                f"the tokenizer knows none of the candidates {names}: the model would be asked for "
                f"its mark of unknown words, {self.tokenizer.unk_token}; give candidates in words "
                "that it knows",
                parameter="candidates",
            )
        if len(tokens) > 1 and len(set(tokens)) == 1:
            raise InputError(
                f"the candidates {names} are the same tokens to the model, so that it cannot "
                "choose; give candidates that differ within what it reads",
                parameter="candidates",
            )

    @abstractmethod
    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Turn examples into the keyword arguments of the model's forward pass, on the CPU."""

    @abstractmethod
    def sites(self) -> tuple[Site, ...]:
        """Return the sites where states are read: every modality once at every layer."""

    def layer_names(self) -> dict[int, str]:
        """Name layers that tables should not call by their number; none by default."""
        return {}

    @abstractmethod
    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return masks of the positions of each modality, bool, shape (b, positions).

        Padding belongs to none. A modality that is missing has all positions of its sites.
        """

    @abstractmethod
    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return the probabilities of the candidate answers, (b, C), from the model's output.

        None if the model gives no answer; the target is then the label.
        """

    def forward(self, inputs: Mapping[str, Tensor]) -> Any:
        """Run the model on prepared inputs."""
        return self.model(**inputs)

    def layers_under(self, module: str) -> tuple[str, ...]:
        """Return the dotted paths of the layers in a list of modules, in order."""
        layers = self.model.get_submodule(module)
        return tuple(f"{module}.{name}" for name, _ in layers.named_children())

    def last_position(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the position from which a decoder answers, int64, shape (b,)."""
        mask = inputs["attention_mask"]
        places = torch.arange(mask.shape[1], device=mask.device)
        return (mask * places).argmax(1)
