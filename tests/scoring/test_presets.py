"""Presets: what they are, that they differ, what a metric is given of them, and their errors."""

import pytest

from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS
from tenas_jax.scoring.presets import PRESETS, Protocol, protocol

LENGTHS = ("length_distortion", "gauss_length", "extrinsic_curvature")


def test_both_presets_are_there_and_differ_where_paper_and_program_do():
    assert set(PRESETS) == {"reference", "paper", "as_vit"}
    reference, paper = PRESETS["reference"], PRESETS["paper"]
    assert (reference.batch_size, paper.batch_size) == (72, 32)
    assert (reference.redraw_weights, paper.redraw_weights) == (False, True)
    assert (reference.initialiser, paper.initialiser) == (
        "pytorch_default",
        "kaiming_normal_fan_in",
    )
    patches = [p.setting("linear_regions", "batch_size") for p in (reference, paper)]
    assert patches == [3000, 5000]
    assert (reference.decimals, paper.decimals) == (3, None)
    assert (reference.significant, paper.significant) == (3, None)


def test_both_presets_agree_where_paper_and_program_do():
    for settings in (PRESETS["reference"], PRESETS["paper"]):
        assert settings.metrics == ("condition_number", "linear_regions")
        assert (settings.repeats, settings.augment) == (3, True)
        assert (settings.engine, settings.chunk, settings.network) == ("auto", None, "scored")
        assert all(settings.options_of(name) == {} for name in METRICS)
        assert all(settings.setting(name, "norms") is None for name in METRICS)


def test_vision_transformers_are_scored_as_published():
    settings = PRESETS["as_vit"]
    assert settings.metrics == ("condition_number", "length_distortion")
    assert (settings.batch_size, settings.repeats) == (16, 5)
    assert settings.redraw_weights and not settings.augment
    assert settings.initialiser == "small_normal"
    without = {name for name in METRICS if settings.setting(name, "norms") == "identity"}
    assert without == set(LENGTHS)
    assert all(settings.options_of(name) == {} for name in METRICS)  # 10 points, the function's own


def test_overrides_replace_and_none_leaves():
    assert protocol("paper", batch_size=7, repeats=None).batch_size == 7
    assert protocol("paper", repeats=None).repeats == 3
    assert protocol("reference") == PRESETS["reference"]
    assert protocol("paper", options={"snip": {"repeats": None}}) == PRESETS["paper"]


def test_options_are_set_beside_the_presets():
    options = {"linear_regions": {"pass_size": 500}, "length_distortion": {"curve_points": 2}}
    changed = protocol("as_vit", options=options)
    assert changed.options_of("length_distortion") == {"curve_points": 2}
    assert changed.setting("length_distortion", "norms") == "identity"
    assert changed.options_of("linear_regions") == {"pass_size": 500}
    assert changed.options["gauss_length"] == {"norms": "identity"}
    again = protocol("as_vit", options={"length_distortion": {"norms": "on"}})
    assert again.setting("length_distortion", "norms") == "on"
    assert PRESETS["as_vit"].options["length_distortion"] == {"norms": "identity"}


def test_what_a_metric_is_given():
    """An option comes first, then what the metric asks for, then the protocol's own."""
    plain = Protocol(batch_size=5, repeats=2)
    assert plain.setting("condition_number", "batch_size") == 5
    assert plain.setting("snip", "batch_size") == METRICS["snip"].batch_size == 64
    assert plain.setting("snip", "repeats") == 2
    assert plain.setting("linear_regions", "network") == "patch"
    assert plain.setting("condition_number", "network") is None  # that of the protocol
    assert plain.setting("kernel_regression", "outputs") == "logits"
    set_all = {"batch_size": 7, "repeats": 4, "network": "published", "initialiser": "lecun_normal"}
    changed = Protocol(batch_size=5, options={"snip": set_all})
    assert {name: changed.setting("snip", name) for name in set_all} == set_all
    assert changed.setting("condition_number", "batch_size") == 5
    assert changed.options_of("snip") == {}


@pytest.mark.parametrize(
    ("preset", "overrides", "words"),
    [
        ("papers", {}, "did you mean 'paper'"),
        ("paper", {"batchsize": 3}, "unknown field of a protocol 'batchsize'.*mean 'batch_size'"),
        ("paper", {"batch_size": 0}, "at least 1"),
        ("paper", {"repeats": -1}, "at least 1"),
        ("paper", {"chunk": 0}, "chunk"),
        ("paper", {"metrics": ()}, "at least one"),
        ("paper", {"metrics": ("snip", "gauss_length", "snip")}, "'snip' is named twice"),
        ("paper", {"patches": 40}, "unknown field of a protocol 'patches'"),
        ("paper", {"options": {"snap": {"repeats": 1}}}, "unknown metric 'snap'.*mean 'snip'"),
        ("paper", {"options": {"snip": {"ridge": 0.1}}}, "unknown option of snip 'ridge'; valid:"),
        (
            "paper",
            {"options": {"linear_regions": {"batch_size": 0}}},
            "batch_size of linear_regions must be at least 1, not 0",
        ),
        (
            "as_vit",
            {"options": {"gauss_length": {"curve_points": 1}}},
            "curve_points must be at least 2, not 1",
        ),
    ],
)
def test_errors(preset, overrides, words):
    with pytest.raises(UserError, match=words) as caught:
        protocol(preset, **overrides)
    assert "\n" not in str(caught.value)
