"""Presets: what they are, that they differ, and their errors."""

import pytest

from tenas_jax.errors import UserError
from tenas_jax.scoring.presets import PRESETS, protocol


def test_both_presets_are_there_and_differ_where_paper_and_program_do():
    assert set(PRESETS) == {"reference", "paper", "as_vit"}
    reference, paper = PRESETS["reference"], PRESETS["paper"]
    assert (reference.batch_size, paper.batch_size) == (72, 32)
    assert (reference.redraw_weights, paper.redraw_weights) == (False, True)
    assert (reference.initialiser, paper.initialiser) == (
        "pytorch_default",
        "kaiming_normal_fan_in",
    )
    assert (reference.patches, paper.patches) == (3000, 5000)
    assert (reference.decimals, paper.decimals) == (3, None)
    assert (reference.significant, paper.significant) == (3, None)


def test_overrides_replace_and_none_leaves():
    assert protocol("paper", batch_size=7, repeats=None).batch_size == 7
    assert protocol("paper", repeats=None).repeats == 3
    assert protocol("paper", curve_points=2).curve_points == 2


@pytest.mark.parametrize(
    ("preset", "overrides", "words"),
    [
        ("papers", {}, "did you mean 'paper'"),
        ("paper", {"batchsize": 3}, "did you mean 'batch_size'"),
        ("paper", {"batch_size": 0}, "at least 1"),
        ("paper", {"repeats": -1}, "at least 1"),
        ("paper", {"patches": 0}, "patches must be at least 1"),
        ("paper", {"chunk": 0}, "chunk"),
        ("paper", {"curve_points": 1}, "curve_points must be at least 2, not 1"),
        ("paper", {"metrics": ()}, "at least one"),
        ("paper", {"metrics": ("a", "b", "a")}, "'a' is named twice"),
    ],
)
def test_errors(preset, overrides, words):
    with pytest.raises(UserError, match=words):
        protocol(preset, **overrides)


def test_both_presets_agree_where_paper_and_program_do():
    for settings in (PRESETS["reference"], PRESETS["paper"]):
        assert settings.metrics == ("condition_number", "linear_regions")
        assert (settings.repeats, settings.augment) == (3, True)
        assert (settings.engine, settings.chunk) == ("auto", None)
        assert settings.curve_points == 10


def test_vision_transformers_are_scored_as_published():
    settings = PRESETS["as_vit"]
    assert settings.metrics == ("condition_number", "length_distortion")
    assert (settings.batch_size, settings.repeats, settings.curve_points) == (16, 5, 10)
    assert settings.redraw_weights and not settings.augment
    assert settings.initialiser == "small_normal"
