import pytest

from modalprism.datasets.columns import Columns
from modalprism.datasets.dataset import Row
from modalprism.datasets.lazy import example_of
from modalprism.datasets.prompts import Prompt
from modalprism.errors import InputError

SCIENCE = Prompt.of("Hint: {hint?}\n{question}\n{choices}\nAnswer with the letter.")


def test_columns_are_filled_in():
    prompt = Prompt.of("{question} Answer yes or no.")
    assert prompt.columns == ("question",)
    assert prompt.filled({"question": "Is it red?"}) == "Is it red? Answer yes or no."
    assert Prompt.of("{a}{b} {{a}} {a}").filled({"a": 1.0, "b": b"x "}) == "1x {a} 1"


def test_a_list_becomes_lines_with_letters():
    cells = {"hint": "Look.", "question": "Which?", "choices": ["a cat", "2"]}
    assert SCIENCE.filled(cells) == ("Hint: Look.\nWhich?\nA. a cat\nB. 2\nAnswer with the letter.")


@pytest.mark.parametrize("hint", ["", " ", None, float("nan"), []])
def test_a_line_goes_with_what_may_be_empty_in_it(hint):
    cells = {"hint": hint, "question": "Which?", "choices": ["a cat"]}
    assert SCIENCE.filled(cells) == "Which?\nA. a cat\nAnswer with the letter."
    with pytest.raises(InputError, match="nothing is left of the prompt"):
        Prompt.of("{hint?}").filled(cells)


def test_nothing_is_evaluated():
    prompt = Prompt.of("{question.__class__} {choices[0]}")
    assert prompt.columns == ("question.__class__", "choices[0]")  # names of columns, if any
    with pytest.raises(InputError, match=r"no column 'question.__class__' that the prompt names; "):
        Columns().with_prompt(prompt).among(["image", "question", "choices"])


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("Answer yes or no.", "names no column, so that all examples would be asked the same"),
        ("{{question}}", "names no column"),
        ("{question", "cannot be read: expected '}'.*; write {{ for a brace itself"),
        ("question}", "cannot be read: Single '}'"),
        ("{question!r}", "more or less than a column's name between braces"),
        ("{question:>10}", "more or less than a column's name"),
        ("{}", "more or less than a column's name"),
        ("{?}", "more or less than a column's name"),
    ],
)
def test_another_template_is_refused(template, words):
    with pytest.raises(InputError, match=words):
        Prompt.of(template)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"question": "", "choices": ["a"]}, "row '3', column 'question': it is empty"),
        ({"choices": ["a"]}, "row '3', column 'question': it is missing"),
        ({"question": {"a": 1}, "choices": ["a"]}, "column 'question': it is dict, no text"),
        (
            {"question": "a", "choices": []},
            "column 'choices': it is a list of 0; there are letters",
        ),
        ({"question": "a", "choices": ["a"] * 27}, "column 'choices': it is a list of 27"),
        ({"question": "a", "choices": ["a", ""]}, "column 'choices': it is empty"),
    ],
)
def test_a_row_that_cannot_be_asked_says_why(cells, words):
    columns = Columns().with_prompt(SCIENCE).among(["hint", "question", "choices"])
    example = example_of(Row(3, "3", cells), columns, None, 16_000)
    with pytest.raises(InputError, match=words):
        example.inputs["text"]


def test_a_prompt_is_the_text():
    columns = Columns.from_flags(["label=answer"]).with_prompt(SCIENCE)
    found = columns.among(["image", "text", "hint", "question", "choices", "answer"])
    assert list(found.modalities) == ["text", "image"]
    assert found.names == ("hint", "question", "choices", "image", "answer")
    with pytest.raises(InputError, match="text is the column 'question', and there is a prompt"):
        Columns.from_flags(["text=question"]).with_prompt(SCIENCE)
