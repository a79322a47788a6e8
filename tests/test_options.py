"""Mistakes in a study file: one sentence each, with the line and what to write."""

import re

import pytest

from modalprism.errors import InputError
from modalprism.studies.inputs import EmbeddingsInput
from modalprism.studies.study import Study


def written(folder, text):
    path = folder / "study.yaml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("layers: [yes]", 'line 1: layers: YAML reads yes as a truth value; put "yes" in quotes'),
        ("layers: [1, on]", 'layers: YAML reads on as a truth value; put "on" in quotes'),
        ("seed: true", "seed: YAML reads true as a truth value"),
        ("folds: off", "folds: YAML reads off as a truth value"),
        ("base: yes", "base: YAML reads yes as a truth value"),
        ("title: no", 'put "no" in quotes'),
        ("title: 12", 'line 1: title: YAML reads 12 as a number; put "12" in quotes'),
        ("title: 2020-01-01", 'line 1: put "2020-01-01" in quotes'),
        (
            "seed: 1\nmodalities: [yes, no]",
            'line 2: modalities: YAML reads yes .*put "yes" in quotes',
        ),
        ("seed: 1\nmodalities: [1, 2]", r'line 2: modalities\.0: YAML reads 1 .*put "1" in quotes'),
        ("seed: 1\nmodalities: [a, ~]", r'line 2: modalities\.1: YAML reads ~ as null; put "~" in'),
        ("seed: 010", 'line 1: write 010 as a decimal number, or put "010" in quotes'),
        ("seed: 1\nseed: 2", "line 2: the key 'seed' stands twice"),
        ("on: 1", 'line 1: put "on" in quotes'),
        ("views: [answers]", "line 1: .* did you mean 'answer'"),
        ("estimator: Codebook", "line 1: .* did you mean 'codebook'"),
        ("modalitys: [a, b]", "line 1: modalitys: there is no such key; did you mean 'modalities'"),
        ("baselines: [ablaton]", "line 1: .* did you mean 'ablation'"),
        ("baselines: {name: [ablation]}", "line 1: .*; did you mean 'names'"),
        ("out: [a]", "line 1: out: it is no path"),
        ("views: answer", r"line 1: views: give a list, such as \[a, b\], not 'answer'$"),
        ("views: []", "line 1: views: give a list of at least 1, not a list of 0$"),
        ("layers: 3", r"line 1: layers: give a list, such as \[a, b\], not 3$"),
        ("layers: [1.5]", r"line 1: layers\.0: give a whole number, not 1\.5$"),
        ("modalities: [a]", "line 1: modalities: entry 2 is missing$"),
        ("modalities: [a, b, c]", "modalities: give a list of at most 2, not a list of 3$"),
        ("base: e", "line 1: base: give a number, not 'e'$"),
        ("base: 1", "line 1: base: give a number above 1, not 1$"),
        ("base: .inf", "line 1: base: give a finite number, not inf$"),
        ("folds: 2", "line 1: folds: give a number of at least 3, not 2$"),
        ("seed: 9999999999", "line 1: seed: give a number of at most 4294967295, not 9999999999$"),
        ("seed: ~", "line 1: seed: give a whole number, not nothing$"),
        ("title: [a]", "line 1: title: give a word or a text, not a list of 1$"),
        ("estimator: 3", "line 1: estimator: .*put .3. in quotes"),
        ("estimator: [a]", "estimator: give a word or a text, not a list of 1$"),
    ],
)
def test_a_mistake_is_said_with_its_line_and_what_to_write(tmp_path, text, words):
    path = written(tmp_path, f"{text}\nsources: [{{path: e.npz}}]")
    with pytest.raises(InputError, match=words) as caught:
        Study.from_yaml(path)
    assert str(caught.value).count("study.yaml") == 1


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("pathh: e.npz", "line 2: sources.0: say where the embeddings are"),
        ("path: e.npz\n    modle: m", "line 3: sources.0.modle: .* did you mean 'model'"),
        ("path: e.npz\n    model: 7", 'line 3: sources.0.model: YAML reads 7 .* put "7" in quotes'),
        ("model: m\n    data: d\n    candidats: [a]", "line 4: .* did you mean 'candidates'"),
        ("model: m\n    data: d\n    candidates: [yes, no]", 'line 4: .*put "yes" in quotes'),
        (
            "model: m\n    data: d\n    candidates:\n    - 'a'\n    - 1",
            'line 6: .*put "1" in quotes',
        ),
        ("model: m\n    data: d\n    answers: {a: yes}", 'line 4: .*put "yes" in quotes'),
        ("model: m\n    data: d\n    answers: {yes: a}", 'line 4: put "yes" in quotes'),
        ("model: m\n    data: d\n    columns: {image: on}", 'line 4: .*put "on" in quotes'),
        ("model: m\n    data: d\n    columns: {on: a}", 'line 4: put "on" in quotes'),
        ("model: m\n    data: d\n    columns: {imge: a}", "did you mean 'image'"),
        ("model: m\n    data: d\n    limit: yes", "line 4: .*YAML reads yes"),
        ("model: m\n    data: d\n    join: {data: x, bye: {a: b}}", "did you mean 'by'"),
        ("e.npz", "line 2: sources.0: give keys with their values, such as {key: value}, not 'e.n"),
        ("data: d", "line 2: sources.0.model: this key is missing$"),
        (
            "path: e.npz\n    kind: x",
            "there is no kind of input 'x': choose one of 'embeddings', 'capture',",
        ),
        ("kind: embedding\n    path: e.npz", "line 2: .* did you mean 'embeddings'"),
        ("kind: emoji_questions\n    fusions: [concta]", "line 3: .* did you mean 'concat'"),
    ],
)
def test_a_mistake_in_a_source_is_said_with_its_line(tmp_path, source, words):
    path = written(tmp_path, f"sources:\n  - {source}\n")
    with pytest.raises(InputError, match=words):
        Study.from_yaml(path)


def test_keys_of_answers_are_the_words_that_are_written(tmp_path):
    source = "model: m, data: d, candidates: [lit, dark]"
    answers = '{"on": lit, off2: dark, 0: dark, "010": lit, true: lit}'
    path = written(tmp_path, f"sources: [{{{source}, answers: {answers}}}]")
    (source,) = Study.from_yaml(path).sources
    assert list(source.answers) == ["on", "off2", "0", "010", "true"]


@pytest.mark.parametrize(
    ("wrong", "words", "parameter"),
    [
        ({"seed": -1}, "seed: give a number of at least 0, not -1", "seed"),
        ({"sedd": 1}, "sedd: there is no such key; did you mean 'seed'?", "sedd"),
        ({"sources": []}, "sources: give a list of at least 1", "sources"),
        ({"sources": [{"pth": "e.npz"}]}, "say where the embeddings are", "sources"),
        ({"layers": ["all"]}, "layers.0: give a whole number, not 'all'", "layers"),
        ({"modalities": ("text", "text")}, "the two modalities are both called 'text'", ""),
    ],
)
def test_a_study_made_in_python_is_refused_in_one_sentence(wrong, words, parameter):
    asked = {"sources": [{"path": "e.npz"}], "modalities": ("image", "text"), "out": "run"}
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        Study(**asked | wrong)
    assert caught.value.parameter == parameter
    assert "pydantic" not in str(caught.value)


def test_a_part_made_in_python_is_refused_in_one_sentence():
    with pytest.raises(InputError, match="path"):
        EmbeddingsInput(kind="embeddings")
