"""Options of a dataset. Modules that read datasets are imported when they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, field_validator

from modalprism.options import Options

if TYPE_CHECKING:
    from modalprism.datasets.columns import Columns
    from modalprism.datasets.examples import Examples
    from modalprism.datasets.labels import Labels

SAMPLING_RATE: Final = 16_000


class Join(Options):
    """A second dataset, and the columns by which it belongs to the first."""

    data: str = Field(description="A file, a folder, or an id of the hub.")
    by: dict[str, str] = Field(
        description="One column of the first, and that of the second in which its values stand "
        "once each."
    )
    split: str | None = Field(
        default=None, description="Split of the second; in a study by default the first's."
    )

    @field_validator("by")
    @classmethod
    def _one_key(cls, by: dict[str, str]) -> dict[str, str]:
        if len(by) != 1:
            raise ValueError(f"it has {len(by)} keys; name one column of each: {{imageId: id}}")
        return by

    @property
    def key(self) -> str:
        """Column of the first."""
        return next(iter(self.by))

    @property
    def other(self) -> str:
        """Column of the second."""
        return self.by[self.key]


class DatasetConfig(Options):
    """Options for reading a dataset as examples."""

    columns: dict[str, str | list[str] | None] = Field(
        default_factory=dict,
        description="Column of each role: {image: picture, text: question, label: answer, "
        "group: [patient]}. Usual names are guessed.",
    )
    prompt: str | None = Field(
        default=None,
        description="Template of the text: '{question} Answer yes or no.' with names of columns; "
        "a list becomes lines A., B., …",
    )
    answers: dict[str, str] | Literal["letters"] | None = Field(
        default=None,
        description="Candidate of each value of the label: {0: no, 1: yes}; or letters, for the "
        "place in a list.",
    )
    only: Literal["candidates"] | None = Field(
        default=None, description="Leave out rows whose label is no candidate."
    )
    join: Join | None = Field(
        default=None,
        description="A second dataset whose columns stand beside: {data: pictures, by: {imageId: "
        "id}}.",
    )
    split: str | None = Field(
        default=None,
        description="Split of a Hugging Face dataset, or of a folder of parquet files.",
    )
    limit: int | None = Field(
        default=None, ge=1, description="Number of examples to take, drawn at random."
    )
    streaming: bool = Field(default=False, description="Stream a hub's dataset.")
    sampling_rate: int = Field(
        default=SAMPLING_RATE, ge=1, description="Rate that recordings are brought to, in Hz."
    )

    @field_validator("answers", mode="before")
    @classmethod
    def _values_as_labels_have_them(cls, answers: Any) -> Any:
        if not isinstance(answers, dict):
            return answers
        return {
            str(value).lower() if isinstance(value, bool) else str(value): answer
            for value, answer in answers.items()
        }

    def labels(self, candidates: Sequence[str]) -> Labels:
        """Return the rules that turn labels into candidates."""
        from modalprism.datasets.labels import Labels

        return Labels.of(candidates, self.answers, self.only)

    def roles(self) -> Columns:
        """Return the columns with their roles."""
        from modalprism.datasets.columns import Columns
        from modalprism.datasets.prompts import Prompt

        prompt = None if self.prompt is None else Prompt.of(self.prompt)
        return Columns.from_mapping(self.columns).with_prompt(prompt)

    def open_examples(self, data: str, candidates: Sequence[str], seed: int) -> Examples:
        """Open a dataset; see `modalprism.datasets.examples.open_examples`."""
        from modalprism.datasets.examples import open_examples

        join = self.join and self.join.model_copy(update={"split": self.join.split or self.split})
        return open_examples(
            data,
            self.roles(),
            labels=self.labels(candidates),
            join=join,
            split=self.split,
            limit=self.limit,
            seed=seed,
            streaming=self.streaming,
            sampling_rate=self.sampling_rate,
        )
