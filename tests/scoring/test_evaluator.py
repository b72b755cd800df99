"""The evaluator: common random numbers, sharing, devices, bad input."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.data import Images
from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, Metric
from tenas_jax.networks import NetworkSpec
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.programs import Program
from tenas_jax.scoring.scores import Score

from .small import SPACE, data, evaluator, masks, scored, tiny

PATCH = NetworkSpec("patch")
pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture(scope="module")
def one_device(quick_compilation):
    return evaluator()


@pytest.fixture(scope="module")
def eight_devices(quick_compilation):
    return evaluator(devices=8)


def compiled(ev: Evaluator, by: Evaluator) -> Evaluator:
    """`ev` with the programs that another, of equal shapes and devices, has compiled."""
    ev._programs.update(by._programs)
    return ev


@pytest.fixture(scope="module")
def alone(one_device):
    return scored(one_device, masks(10))


def assert_same(one: list[Score], two: list[Score], rtol: float):
    for a, b in zip(one, two, strict=True):
        for name in a.values:
            np.testing.assert_allclose(a.values[name], b.values[name], rtol=rtol)
        assert a.flags == b.flags


def test_eight_devices_give_what_one_gives(alone, eight_devices):
    assert len(jax.devices()) == 8
    # Ten masks over eight devices: a full block, and one with idle places.
    assert_same(alone, scored(eight_devices, masks(10)), rtol=1e-5)


def test_no_device_is_idle_while_candidates_wait(eight_devices):
    """Every block but the last is full, and the next is under way when the first score comes."""
    scored(eight_devices, masks(1))  # compiles, if it has not
    ev = compiled(evaluator(devices=8, repeats=1), by=eight_devices)
    blocks, name = [], Program(ev._sights["condition_number"], ("condition_number",), False)
    program = ev._programs[name]

    def watched(some, *shared):
        blocks.append(np.asarray(some))
        return program(some, *shared)

    ev._programs[name] = watched
    scores = ev.score(masks(20), 1)
    next(scores)
    assert len(blocks) == 2
    assert sum(1 for _ in scores) == 19
    distinct = [len(np.unique(block, axis=0)) for block in blocks]
    assert distinct == [8, 8, 4]


def test_several_candidates_a_device_give_what_one_gives(alone):
    assert_same(alone[:3], scored(evaluator(devices=1, per_device=3), masks(3)), rtol=1e-4)


def test_a_score_does_not_depend_on_its_company(alone, one_device):
    some = masks(10)
    again = scored(one_device, [some[7], some[2]])
    assert_same([alone[7], alone[2]], again, rtol=0)


def test_draws_and_seeds_change_the_numbers(alone, one_device):
    other_draw = scored(one_device, masks(1), draw=1)
    other_seed = scored(compiled(evaluator(seed=1), by=one_device), masks(1))
    for other in (other_draw, other_seed):
        name = "condition_number"
        assert not np.allclose(other[0].values[name], alone[0].values[name])


def test_candidates_differ_and_repeats_differ(alone):
    values = np.array([score.values["condition_number"] for score in alone])
    assert len(np.unique(values)) == values.size


def test_known_scores_are_not_computed_again(one_device):
    mask = masks(1)[0]
    known = Score({"condition_number": np.array([1.0])}, {"condition_number": ["ok"]})
    results = list(one_device.score([mask], 0, {one_device.key(mask): known}))
    assert results == [(0, one_device.key(mask), known, False)]


def test_equal_architectures_are_scored_once_and_both_get_the_value(one_device):
    # Node 2 does not reach the output, so what leads to it makes no difference.
    twins = [
        SPACE.to_mask(SPACE.parse(text))
        for text in (
            "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|nor_conv_3x3~1|none~2|",
            "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|nor_conv_3x3~1|none~2|",
        )
    ]
    results = list(one_device.score(twins, 0))
    assert [i for i, *_ in results] == [0, 1]
    assert [new for *_, new in results] == [True, False]
    assert results[0][2] is results[1][2]


def test_exact_keys_tell_equal_forms_apart():
    ev = Evaluator(SPACE, data(), tiny(), seed=0, share_equal=False)
    assert len({ev.key(mask) for mask in masks(10)}) == 10


def test_times_are_told_apart(one_device, alone):
    assert one_device.compile_seconds > 0
    assert one_device.run_seconds > 0
    assert all(score.seconds > 0 for score in alone)


def test_a_constant_batch_is_flagged(alone, one_device):
    ev = evaluator(augment=False, images=data(constant=True))
    [score] = scored(compiled(ev, by=one_device), masks(1))
    assert set(score.flags["condition_number"]) <= {"singular", "not positive", "not finite"}
    assert np.isnan(score.mean("condition_number"))


@pytest.mark.parametrize(
    ("images", "changes", "words"),
    [
        (data(), {"batch_size": 1}, ["condition_number", "at least 2", "1"]),
        (data(side=10), {}, ["10x10", "multiples of 4"]),
        (
            Images(np.zeros((64, 8, 10, 3), np.uint8), np.arange(64) % 4, 4),
            {},
            ["8x10", "multiples of 4"],
        ),
        (data(), {"metrics": ("condition_numbers",)}, ["condition_numbers", "condition_number"]),
        (data(), {"engine": "jacobean"}, ["jacobean", "jacobian", "auto"]),
        (data(), {"initialiser": "kaiming_normal"}, ["kaiming_normal", "kaiming_normal_fan_in"]),
        (data(), {"batch_size": 65}, ["has 64 examples", "65"]),
    ],
)
def test_bad_input_is_one_line(images, changes, words):
    with pytest.raises(UserError) as error:
        Evaluator(SPACE, images, tiny(**changes), seed=0)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_named(seed):
    with pytest.raises(UserError, match=f"from 0 to 4294967295, not {seed}"):
        evaluator(seed=seed)


def test_a_number_that_is_not_finite_is_flagged(monkeypatch):
    def fn(probe):
        return jnp.log(0 * probe.batch.inputs.sum())

    monkeypatch.setitem(METRICS, "log_zero", Metric(fn, True, "none", PATCH))
    [score] = scored(evaluator(metrics=("log_zero",)), masks(1))
    assert score.flags == {"log_zero": ["not finite", "not finite"]}
    assert np.isnan(score.values["log_zero"]).all()


def test_times_add_up(monkeypatch):
    """Each architecture has its share, and compiling is not running."""

    def fn(probe):
        return probe.outputs.sum()

    monkeypatch.setitem(METRICS, "sum", Metric(fn, True, "none", PATCH))
    ev = evaluator(per_device=3, metrics=("sum",))
    start = time.perf_counter()
    scores = scored(ev, masks(3))
    elapsed = time.perf_counter() - start
    assert sum(score.seconds for score in scores) == pytest.approx(ev.run_seconds)
    assert 0 < ev.input_seconds <= ev.run_seconds
    assert ev.run_seconds + ev.compile_seconds <= elapsed


@pytest.fixture(scope="module")
def everything(quick_compilation):
    """All quantities, their kernels from one Jacobian."""
    return evaluator(metrics=tuple(METRICS))


def test_other_metrics_beside_two_change_nothing_of_them(alone, everything):
    [score] = scored(everything, masks(1))
    assert list(score.values) == list(METRICS) and score.gradients == {}
    values, flags = ({n: part[n] for n in alone[0].values} for part in (score.values, score.flags))
    assert_same(alone[:1], [Score(values, flags)], rtol=1e-5)
    assert all((score.values[name] > 0).all() for name in METRICS)


def test_some_metrics_and_gradients_are_those_asked_for(everything):
    [mask] = masks(1)
    wanted = ("condition_number", "linear_regions")
    [(_, _, score, _)] = everything.score([mask], 0, metrics=wanted, gradients=True)
    assert tuple(score.values) == wanted and set(score.gradients) == {"condition_number"}
    gradient = score.gradients["condition_number"]
    assert gradient.shape == (2, *mask.shape) and np.isfinite(gradient).all()
    assert not np.array_equal(gradient[0], gradient[1])  # two repeats
    [alone] = scored(everything, [mask])
    np.testing.assert_allclose(
        alone.values["condition_number"], score.values["condition_number"], rtol=1e-5
    )


def test_a_batch_of_the_smallest_size_is_taken():
    Evaluator(SPACE, data(), tiny(batch_size=2), seed=0)


def test_a_cpu_device_takes_one_candidate_at_a_time():
    assert evaluator()._per_device == 1
