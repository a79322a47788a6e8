import math

import pandas as pd
import pytest

from modalprism.reports import answer_sentences, cautions, stream_sentences, summary_sentences
from modalprism.reports.page import render
from modalprism.studies.profile import Profile


def one(make_profile, dataset="kind", **more):
    return make_profile(models={"m": ""}, datasets=(dataset,), **more)


def rewrite(profile, where, **columns):
    frame = profile.frame.copy()
    for name, values in columns.items():
        frame.loc[where(frame), name] = values
    return Profile(frame, profile.manifest)


def test_every_model_and_dataset_is_spoken_of(demo):
    text = "\n".join(summary_sentences(demo.table))
    for model in demo.manifest["models"]:
        for dataset in demo.manifest["datasets"]:
            assert f"{model} on {dataset}:" in text
    assert "nan" not in text
    assert "bit" in text


def test_the_dominant_modality_is_named_with_its_interval_and_pairs(demo):
    said = {s.split(":")[0]: s for s in answer_sentences(demo.table)}
    assert "the image contributes 100 % [99, 101] of the unique" in said["concat on pictured"]
    largest = "the largest atom is unique image, 2.14 bit [2.11, 2.17]"
    assert f"{largest}, 97 % [95, 98] of the information" in said["concat on pictured"]
    assert "the text contributes 100 %" in said["late on named"]
    assert all("(redrawn pairs)" in s for s in answer_sentences(demo.table))


def test_the_undetermined_and_the_unlearnt_are_said_to_be_so(demo):
    late = next(s for s in answer_sentences(demo.table) if s.startswith("late on match"))
    assert "accuracy 0.51 [0.49, 0.53] is not above chance, 0.50" in late
    assert "nothing shows that the network has learnt" in late
    assert "contribution is undetermined" in late
    assert "no atom is above zero" in late
    assert "%" not in late


def test_a_profile_without_fractions_is_put_into_words_too(make_profile):
    whole = one(make_profile, "pictured")
    old = Profile(whole.frame[~whole.frame.quantity.str.endswith("fraction")], whole.manifest)
    (sentence,) = answer_sentences(old.table)
    assert "2.17]; synergy" in sentence


@pytest.mark.parametrize("value", [1.09, math.nan])
def test_more_than_all_is_called_no_part(make_profile, value):
    profile = rewrite(
        one(make_profile, "pictured"), lambda f: f.quantity == "unique_fraction", value=value
    )
    (sentence,) = answer_sentences(profile.table)
    assert "the largest atom is unique image" in sentence
    assert "of the information" not in sentence


def test_nothing_is_more_where_the_interval_holds_one_half(make_profile):
    def is_contribution(frame):
        return frame.quantity == "contribution"

    profile = rewrite(one(make_profile), is_contribution, low=0.3, high=0.8)
    sentence = answer_sentences(profile.table)[0]
    assert "neither modality contributes more" in sentence


def test_nothing_is_largest_where_intervals_overlap(make_profile):
    sentence = answer_sentences(one(make_profile, half=0.2).table)[0]
    assert "the largest value is synergy" in sentence
    assert "not told apart from redundancy" in sentence
    assert "largest atom" not in sentence


def test_without_intervals_nothing_is_compared(make_profile):
    profile = rewrite(one(make_profile), lambda f: f.index >= 0, low=math.nan, high=math.nan)
    answer = answer_sentences(profile.table)[0]
    assert "(no interval)" in answer
    assert "largest atom" not in answer
    assert "contributes more" not in answer
    assert stream_sentences(profile.table) == [
        "m on kind: depths cannot be compared, for some have no interval."
    ]


def test_a_value_that_its_null_explains_is_not_called_largest(make_profile):
    profile = rewrite(one(make_profile, "match"), lambda f: f.quantity == "synergy", p_value=0.5)
    assert "largest atom" not in answer_sentences(profile.table)[0]


def test_a_synergy_below_zero_is_called_an_error(make_profile):
    profile = rewrite(
        one(make_profile, "pictured"),
        lambda f: f.quantity == "synergy",
        value=-0.1,
        low=-0.15,
        high=-0.05,
    )
    assert "below zero: an error of estimation" in answer_sentences(profile.table)[0]


def test_fusing_streams_exchange_and_separate_streams_do_not(demo):
    said = stream_sentences(demo.table)
    fused = next(s for s in said if s.startswith("cross_attention on pictured:"))
    assert fused.endswith("the streams fuse in layers 1–4.")
    assert "redundancy rises" in fused
    assert "unique image falls" in fused
    apart = next(s for s in said if s.startswith("late on"))
    assert "no exchange seen" in apart
    assert "“before fusion” to “layer 4” within the intervals" in apart


def stream(make_profile, redundancy, unique, half=0.03):
    profile = make_profile(
        models={"m": ""}, datasets=("kind",), views=("stream",), depths=len(redundancy)
    )
    frame = profile.frame.copy()
    for layer, (r, u) in enumerate(zip(redundancy, unique, strict=True)):
        for value, chosen in (
            (r, frame.quantity == "redundancy"),
            (u, (frame.quantity == "unique") & (frame.modality == "image")),
        ):
            where = chosen & (frame.layer == layer)
            frame.loc[where, ["value", "low", "high"]] = [value, value - half, value + half]
    (sentence,) = stream_sentences(Profile(frame, profile.manifest).table)
    return sentence


def test_fusion_lasts_until_redundancy_is_not_told_apart_from_its_highest(make_profile):
    sudden = stream(make_profile, [0.1, 0.15, 1.2, 1.25], [1.2, 1.15, 0.1, 0.05])
    assert sudden.endswith("the streams fuse in layer 2.")
    even = stream(make_profile, [0.1, 0.6, 1.12, 1.6], [1.6, 1.1, 0.6, 0.1])
    assert even.endswith("the streams fuse in layers 1–3.")
    slow = stream(make_profile, [0.1, 0.14, 0.18, 0.22], [0.3, 0.26, 0.2, 0.16])
    assert slow.endswith("the streams fuse in layer 2.")


def test_a_loss_without_a_gain_is_no_exchange(make_profile):
    lost = stream(make_profile, [0.1, 0.1, 0.1], [1.0, 0.6, 0.2])
    assert "unique image falls" in lost
    assert "is not seen" in lost
    assert "the streams fuse" not in lost
    bump = stream(make_profile, [0.1, 0.5, 0.1], [0.5, 0.5, 0.5])
    assert "but not at every depth" in bump


def test_swapping_the_modalities_keeps_what_is_said_of_each(make_profile):
    profile = make_profile(models={"m": ""}, datasets=("pictured", "kind"))
    before = answer_sentences(profile.table)
    profile.manifest["modalities"] = ["text", "image"]
    after = answer_sentences(profile.table)
    assert before[1] == after[1]
    assert before[0] == after[0]


def test_other_modalities_units_and_missing_views(make_profile):
    profile = make_profile(("audio", "text"), {"m": ""}, ("pictured",), unit="nat", depths=30)
    text = "\n".join(summary_sentences(profile.table))
    assert "the audio contributes" in text
    assert "nat" in text
    assert "bit" not in text
    assert "image" not in text
    assert stream_sentences(one(make_profile, views=("answer",)).table) == []
    assert answer_sentences(one(make_profile, views=("stream",)).table) == []
    assert stream_sentences(one(make_profile, depths=1).table) == []
    empty = Profile(pd.DataFrame(profile.frame.iloc[:0]), profile.manifest)
    assert summary_sentences(empty.table) == []
    assert cautions(empty.table) == []


def test_cautions_name_their_cases_and_are_silent_otherwise(demo, make_profile):
    unlearnt, undetermined, unread = cautions(demo.table)
    assert "late on match" in unlearnt
    assert "concat on match (observed, redrawn)" in undetermined
    assert "late on match (0.30)" in unread
    assert "concat" not in unread
    assert cautions(one(make_profile, "pictured").table) == []
    (few,) = cautions(one(make_profile, "pictured", n=150).table)
    assert "n = 150" in few


def test_a_result_that_the_number_of_codes_decides_is_warned_of(make_profile):
    profile = one(make_profile, "pictured")
    deepest = (profile.frame.quantity == "code_sensitivity") & (profile.frame.layer == 5)
    (said,) = cautions(rewrite(profile, lambda _: deepest, value=0.31).table)
    assert said.startswith("The number of codes matters in the encoding view: m on pictured (0.31)")
    assert cautions(rewrite(profile, lambda _: deepest, value=math.nan).table) == []


def test_probes_that_had_to_be_moved_far_are_warned_of(make_profile):
    profile = one(make_profile, "pictured")
    moved = (profile.frame.quantity == "matching_distance") & (profile.frame.view == "stream")
    (said,) = cautions(rewrite(profile, lambda _: moved, value=0.31).table)
    assert said.startswith("Probes were poorly calibrated: m on pictured (stream) (0.31)")


def test_a_modality_that_copies_the_other_is_warned_of(make_profile):
    profile = one(make_profile, "pictured")
    any_of_them = (profile.frame.quantity == "matching_distance") & (profile.frame.view == "stream")
    (said,) = cautions(
        rewrite(profile, lambda _: any_of_them, quantity="copied_columns", value=1.0).table
    )
    assert said.startswith("Both modalities hold the same columns, up to order and units: ")
    assert "m on pictured (stream)" in said


@pytest.mark.parametrize("view", ["answer", "stream"])
def test_no_word_of_copies_but_that_they_are(make_profile, view):
    profile = one(make_profile, "pictured")
    replaced = {"answer": "information_ceiling", "stream": "matching_distance"}[view]
    found = rewrite(
        rewrite(profile, lambda f: f.pairs == "redrawn", pairs="observed"),
        lambda f: (f.quantity == replaced) & (f.view == view),
        quantity="copied_columns",
        value=1.0,
    )
    (of_case,) = {"answer": answer_sentences, "stream": stream_sentences}[view](found.table)
    assert of_case == (
        "m on pictured: the image and the text are copies of each other, so that the atoms say "
        "nothing of two modalities."
    )


def test_a_constant_embedding_is_warned_of(make_profile):
    profile = one(make_profile, "pictured")
    some = (profile.frame.quantity == "matching_distance") & (profile.frame.view == "stream")
    (said,) = cautions(
        rewrite(
            profile, lambda _: some, quantity="constant_source", modality="text", value=1.0
        ).table
    )
    assert said.startswith("The embedding of text is the same in every row: m on pictured (stream)")


@pytest.mark.parametrize(("unit", "warned"), [("bit", False), ("nat", True)])
def test_the_gap_is_judged_in_bits(make_profile, unit, warned):
    said = cautions(one(make_profile, "pictured", unit=unit, gap=0.008).table)
    assert any("solver" in s for s in said) is warned


def test_too_few_draws_for_any_test_are_said(make_profile):
    profile = one(make_profile, "pictured")
    profile.manifest["estimator"] = {"replicates": 38, "permutations": 18}
    (said,) = cautions(profile.table)
    assert "38 replicates (at least 39) and 18 permutations (at least 19)" in said
    profile.manifest["estimator"] = {"replicates": 39, "permutations": 19}
    assert cautions(profile.table) == []


def test_what_a_capture_counted_is_a_caution(make_profile):
    profile = one(make_profile, "pictured")
    counted = {"rows": 9, "texts_cut": 4, "text_tokens": 77, "labels": 9, "labels_unmatched": 2,
               "commonest_unmatched": ["maybe"], "prompt": "[CLS] is it? [SEP]"}  # fmt: skip
    where = {"model": "clip", "dataset": "vqa"}
    profile.manifest["notices"] = [where | counted]
    cut, unmatched = cautions(profile.table)
    assert cut.startswith("clip on vqa: 4 of 9 texts are longer than the model reads and were cut")
    assert unmatched.startswith("clip on vqa: 2 of 9 labels are none of the candidates")
    page = render(profile.table, {})
    assert "4 of 9 texts are longer" in page
    assert '<dt>clip on vqa</dt><dd class="prompt">[CLS] is it? [SEP]</dd>' in page
