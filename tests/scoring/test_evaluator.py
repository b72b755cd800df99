"""The evaluator: common random numbers, sharing, devices, bad input."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.data import Images
from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, Metric
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.presets import protocol
from tenas_jax.scoring.programs import Program
from tenas_jax.scoring.scores import Score

SPACE = spaces.get("nas_bench_201")
pytestmark = pytest.mark.usefixtures("quick_compilation", "small_network")


def data(side: int = 8, constant: bool = False) -> Images:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (64, side, side, 3), dtype=np.uint8)
    if constant:
        images[:] = 100
    return Images(images, np.arange(64) % 4, 4)


def tiny(**changes):
    options = {"batch_size": 4, "repeats": 2, "patches": 40, **changes}
    return protocol("reference", **options)


def evaluator(devices=1, per_device=None, seed=0, images=None, **changes) -> Evaluator:
    return Evaluator(
        SPACE,
        images or data(),
        tiny(**changes),
        seed=seed,
        devices=jax.devices()[:devices],
        per_device=per_device,
    )


def masks(count: int) -> list[np.ndarray]:
    """The supernet and some of its parts."""
    whole = SPACE.supernet()
    out = [whole]
    for edge in range(count - 1):
        part = whole.copy()
        part[0, edge % 6, 1 + edge // 6] = 0
        out.append(part)
    return out


def scored(ev: Evaluator, some: list[np.ndarray], draw: int = 0, known=None) -> list[Score]:
    out = [None] * len(some)
    for i, _, score, _ in ev.score(some, draw, known):
        out[i] = score
    return out


@pytest.fixture(scope="module")
def one_device(quick_compilation, small_network):
    return evaluator()


@pytest.fixture(scope="module")
def eight_devices(quick_compilation, small_network):
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
    blocks, name = [], Program("ntk", ("condition_number",), False)
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


def test_reference_keeps_weights_over_repeats_and_paper_draws_new_ones():
    for preset, same in (("reference", True), ("paper", False)):
        settings = protocol(preset, batch_size=4, repeats=2, patches=40)
        ev = Evaluator(SPACE, data(), settings, seed=0)
        first, second = (ev._draws.inputs("thin", 0, repeat) for repeat in (0, 1))
        leaf = lambda inputs: np.asarray(  # noqa: E731
            inputs[0]["cells_0"]["edges_1<-0"]["nor_conv_3x3"]["conv"]["kernel"]
        )
        assert np.array_equal(leaf(first), leaf(second)) is same
        assert not np.array_equal(first[1].images, second[1].images)


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
        (data(), {"batch_size": 65}, ["has 64 images", "65"]),
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


def test_weights_and_batches_both_depend_on_seed_and_draw():
    def inputs(seed: int, draw: int):
        params, batch, _ = evaluator(seed=seed)._draws.inputs("ntk", draw, 0)
        kernel = params["cells_0"]["edges_1<-0"]["nor_conv_3x3"]["conv"]["kernel"]
        return np.asarray(kernel), np.asarray(batch.images)

    one = inputs(0, 0)
    for seed, draw in ((0, 1), (1, 0)):
        for a, b in zip(one, inputs(seed, draw), strict=True):
            assert not np.array_equal(a, b)
    for a, b in zip(one, inputs(0, 0), strict=True):
        np.testing.assert_array_equal(a, b)


def test_batches_are_as_the_protocol_says():
    kernel = {
        augment: evaluator(augment=augment)._draws.inputs("ntk", 0, 0)[1] for augment in (0, 1)
    }
    assert kernel[0].images.shape == kernel[1].images.shape == (4, 8, 8, 3)
    assert not np.array_equal(kernel[0].images, kernel[1].images)
    # Without augmentation each is one of the data's images, and its label is that image's.
    whole = data()
    for image, label in zip(kernel[0].images, kernel[0].labels, strict=True):
        same = whole.normalise(whole.images) == np.asarray(image)
        [place] = np.flatnonzero(same.all((1, 2, 3)))
        assert whole.labels[place] == label
    regions = evaluator()._draws.inputs("thin", 0, 0)[1]
    assert regions.images.shape == (40, 3, 3, 1) and regions.labels is None


def test_engine_chunk_and_classes_reach_the_metrics_of_the_kernel(monkeypatch):
    seen = []

    def fn(network, params, batch, key, *, ntk, ridge):
        seen.append((ntk._engine, ntk._chunk, ridge, network(params, batch.images).shape))
        return batch.images.sum()

    options = {"kernel": True, "options": ("ridge",)}
    monkeypatch.setitem(METRICS, "options", Metric(fn, True, "ntk", "none", **options))
    settings = {"engine": "jacobian", "chunk": 2, "ridge": 0.5}
    scored(evaluator(metrics=("options",), **settings), masks(1))
    assert set(seen) == {("jacobian", 2, 0.5, (4, 4))}  # four images, four classes


def test_a_number_that_is_not_finite_is_flagged(monkeypatch):
    def fn(network, params, batch, key):
        return jnp.log(0 * batch.images.sum())

    monkeypatch.setitem(METRICS, "log_zero", Metric(fn, True, "thin", "none"))
    [score] = scored(evaluator(metrics=("log_zero",)), masks(1))
    assert score.flags == {"log_zero": ["not finite", "not finite"]}
    assert np.isnan(score.values["log_zero"]).all()


def test_times_add_up(monkeypatch):
    """Each architecture has its share, and compiling is not running."""

    def fn(network, params, batch, key):
        return network(params, batch.images).sum()

    monkeypatch.setitem(METRICS, "sum", Metric(fn, True, "thin", "none"))
    ev = evaluator(per_device=3, metrics=("sum",))
    start = time.perf_counter()
    scores = scored(ev, masks(3))
    elapsed = time.perf_counter() - start
    assert sum(score.seconds for score in scores) == pytest.approx(ev.run_seconds)
    assert 0 < ev.input_seconds <= ev.run_seconds
    assert ev.run_seconds + ev.compile_seconds <= elapsed


@pytest.fixture(scope="module")
def three(quick_compilation, small_network):
    """All three quantities, their kernels from one Jacobian."""
    return evaluator(metrics=tuple(METRICS))


def test_kernel_regression_beside_the_others_changes_nothing_of_them(alone, three):
    [score] = scored(three, masks(1))
    assert list(score.values) == list(METRICS) and score.gradients == {}
    values, flags = ({n: part[n] for n in alone[0].values} for part in (score.values, score.flags))
    assert_same(alone[:1], [Score(values, flags)], rtol=1e-5)
    assert (score.values["kernel_regression"] > 0).all()


def test_a_validation_batch_is_held_out():
    whole = data()
    batch = evaluator(metrics=tuple(METRICS), augment=False)._draws.inputs("ntk", 0, 0)[1]
    assert evaluator()._draws.inputs("ntk", 0, 0)[1].validation is None
    places = []
    for part in (batch, batch.validation):
        for image, label in zip(part.images, part.labels, strict=True):
            same = (whole.normalise(whole.images) == np.asarray(image)).all((1, 2, 3))
            [place] = np.flatnonzero(same)
            assert whole.labels[place] == label
            places.append(place)
    assert len(set(places)) == 8


def test_some_metrics_and_gradients_are_those_asked_for(three):
    [mask] = masks(1)
    wanted = ("condition_number", "linear_regions")
    [(_, _, score, _)] = three.score([mask], 0, metrics=wanted, gradients=True)
    assert tuple(score.values) == wanted and set(score.gradients) == {"condition_number"}
    gradient = score.gradients["condition_number"]
    assert gradient.shape == (2, *mask.shape) and np.isfinite(gradient).all()
    assert not np.array_equal(gradient[0], gradient[1])  # two repeats
    [alone] = scored(three, [mask])
    np.testing.assert_allclose(
        alone.values["condition_number"], score.values["condition_number"], rtol=1e-5
    )


def test_labels_of_one_class_are_refused_where_they_are_needed():
    same = Images(data().images, np.zeros(64, int), 4)
    Evaluator(SPACE, same, tiny(), seed=0)
    with pytest.raises(UserError, match="kernel_regression needs labels of two classes"):
        Evaluator(SPACE, same, tiny(metrics=("kernel_regression",)), seed=0)


def test_images_for_a_validation_batch_are_counted():
    Evaluator(SPACE, data(), tiny(metrics=("kernel_regression",), batch_size=32), seed=0)
    with pytest.raises(UserError, match="has 64 images, not the 66 of a batch and a validation"):
        Evaluator(SPACE, data(), tiny(metrics=("kernel_regression",), batch_size=33), seed=0)


def test_a_batch_of_the_smallest_size_is_taken():
    Evaluator(SPACE, data(), tiny(batch_size=2), seed=0)


def test_a_cpu_device_takes_one_candidate_at_a_time():
    assert evaluator()._per_device == 1
