"""Spectra of the best and the worst, timing, and what a study's workdir keeps."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.benchmarks.study_run import (
    SECONDS,
    SPECTRA,
    extreme_spectra,
    extremes,
    keep_spectra,
    metric_seconds,
    scored,
)
from tenas_jax.data import Images
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.presets import protocol

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPACE = spaces.get("nas_bench_201")
NUMBERS = [12345, 7812, 3000, 8888]  # the third has a singular kernel
ARCHS = [SPACE.to_string(SPACE.from_index(i)) for i in NUMBERS]
REGIONS = {"linear_regions": {"batch_size": 8}}
SETTINGS = protocol("reference", batch_size=4, repeats=2, network="testing", options=REGIONS)
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
IMAGES = Images(PIXELS, np.arange(8) % 2, 2)


@pytest.fixture(scope="module")
def evaluator(quick_compilation):
    one = jax.devices()[:1]
    return Evaluator(SPACE, IMAGES, SETTINGS, seed=0, devices=one, share_equal=False)


def test_the_highest_and_the_lowest():
    accuracy = np.array([3.0, np.nan, 9, 1, 5, 7])
    assert extremes(accuracy, 2) == [("best", 2), ("best", 5), ("worst", 3), ("worst", 0)]
    assert extremes(accuracy, 9) == extremes(accuracy, 2)  # half of the five that are known
    assert extremes(np.array([np.nan, 1.0])) == []


def test_spectra_give_the_recorded_condition_numbers(evaluator):
    masks = [SPACE.to_mask(SPACE.parse(arch)) for arch in ARCHS]
    kappas = {ARCHS[i]: s.values["condition_number"][0] for i, _, s, _ in evaluator.score(masks, 0)}
    spectra = extreme_spectra(evaluator, ARCHS, np.array([1.0, 2, 3, 4]), 2)
    assert [each["group"] for each in spectra] == ["best", "best", "worst", "worst"]
    assert [each["arch"] for each in spectra] == [ARCHS[3], ARCHS[2], ARCHS[0], ARCHS[1]]
    usable = 0
    for each in spectra:
        values = np.array(each["eigenvalues"])
        assert len(values) == 4 and (np.diff(values) <= 0).all()
        if np.isfinite(kappas[each["arch"]]):
            usable += 1
            assert values[0] / values[-1] == pytest.approx(kappas[each["arch"]], rel=1e-3)
    assert usable


def test_a_kernel_that_is_not_finite_has_no_eigenvalues(evaluator, monkeypatch):
    monkeypatch.setattr(Evaluator, "kernel", lambda *_: np.full((4, 4), np.inf, np.float32))
    for each in extreme_spectra(evaluator, ARCHS, np.arange(4.0), 1):
        assert np.isnan(each["eigenvalues"]).all()


def test_each_metric_is_timed_alone(evaluator):
    seconds = metric_seconds(SPACE, IMAGES, SETTINGS, 0, ARCHS[:2])
    assert list(seconds) == list(SETTINGS.metrics) and all(s > 0 for s in seconds.values())


def test_a_study_scores_and_measures_once(evaluator, tmp_path, monkeypatch):
    accuracy = np.arange(4.0)
    with Workdir.open(tmp_path / "w", {}) as work:
        first = scored(evaluator, NUMBERS, work)
        keep_spectra(evaluator, first, "test", accuracy, work)
    texts = {name: (tmp_path / "w" / name).read_text() for name in (SECONDS, SPECTRA)}
    assert first.archs == tuple(ARCHS) and first.repeats == 2
    assert first.seconds == json.loads(texts[SECONDS])
    spectra = json.loads(texts[SPECTRA])
    assert (spectra["column"], spectra["batch_size"]) == ("test", 4)
    # Of the three whose kernel is good one is the best, one the worst.
    assert [each["arch"] for each in spectra["spectra"]] == [ARCHS[3], ARCHS[0]]
    with monkeypatch.context() as patch, Workdir.open(tmp_path / "w", {}) as work:
        patch.setattr("tenas_jax.benchmarks.study_run.metric_seconds", None)
        patch.setattr("tenas_jax.benchmarks.study_run.extreme_spectra", None)
        patch.setattr(Evaluator, "_start", None)
        again = scored(evaluator, NUMBERS, work)
        keep_spectra(evaluator, again, "test", accuracy, work)
        with pytest.raises(TypeError):  # others are the best now
            keep_spectra(evaluator, again, "test", -accuracy, work)
    for name in SETTINGS.metrics:
        np.testing.assert_array_equal(again.values[name], first.values[name])
    assert again.seconds == first.seconds


def test_without_a_kernel_there_are_no_spectra(tmp_path):
    settings = dataclasses.replace(SETTINGS, metrics=("linear_regions",))
    other = Evaluator(SPACE, IMAGES, settings, seed=0, devices=jax.devices()[:1])
    with Workdir.open(tmp_path / "w", {}) as work:
        scores = scored(other, NUMBERS, work)
        keep_spectra(other, scores, "test", np.arange(4.0), work)
    assert not (tmp_path / "w" / SPECTRA).exists()
