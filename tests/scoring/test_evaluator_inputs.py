"""What an evaluator gives metrics to see: networks, batches, options; and what it refuses."""

import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.data import Images, Tokens
from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, Metric
from tenas_jax.networks import NetworkSpec
from tenas_jax.scoring import draws
from tenas_jax.scoring import evaluator as module
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.presets import protocol

from .small import SPACE, data, evaluator, masks, scored, tiny

KERNEL, REGIONS = "condition_number", "linear_regions"
pytestmark = pytest.mark.usefixtures("quick_compilation")


def inputs(ev: Evaluator, name: str, draw: int = 0, repeat: int = 0):
    """What a metric is given: parameters, and a batch."""
    params, batch, _ = ev._draws.inputs(ev._sights[name], draw, repeat)
    return params, batch


def kernel_of(params) -> np.ndarray:
    """A convolution's weights."""
    return np.asarray(params["cells_0"]["edges_1<-0"]["nor_conv_3x3"]["conv"]["kernel"])


@pytest.mark.parametrize(("preset", "same"), [("reference", True), ("paper", False)])
def test_reference_keeps_weights_over_repeats_and_paper_draws_new_ones(preset, same):
    options = {REGIONS: {"batch_size": 40}}
    settings = protocol(preset, batch_size=4, repeats=2, options=options)
    ev = Evaluator(SPACE, data(), settings, seed=0)
    (params, batch), (others, other) = (inputs(ev, REGIONS, repeat=r) for r in (0, 1))
    assert np.array_equal(kernel_of(params), kernel_of(others)) is same
    assert not np.array_equal(batch.inputs, other.inputs)


def test_weights_and_batches_both_depend_on_seed_and_draw():
    def drawn(seed: int, draw: int):
        params, batch = inputs(evaluator(seed=seed), KERNEL, draw)
        return kernel_of(params), np.asarray(batch.inputs)

    one = drawn(0, 0)
    for seed, draw in ((0, 1), (1, 0)):
        for a, b in zip(one, drawn(seed, draw), strict=True):
            assert not np.array_equal(a, b)
    for a, b in zip(one, drawn(0, 0), strict=True):
        np.testing.assert_array_equal(a, b)


def numbers(whole: Images, batch) -> list[int]:
    """Which of the data's images a batch has, each with its label."""
    indices = []
    for image, label in zip(batch.inputs, batch.targets, strict=True):
        same = (whole.normalise(whole.images) == np.asarray(image)).all((1, 2, 3))
        [index] = np.flatnonzero(same)
        assert whole.labels[index] == label
        indices.append(int(index))
    return indices


def test_batches_are_as_the_protocol_says():
    plain, augmented = (inputs(evaluator(augment=a), KERNEL)[1] for a in (False, True))
    assert plain.inputs.shape == augmented.inputs.shape == (4, 8, 8, 3)
    assert not np.array_equal(plain.inputs, augmented.inputs)
    assert len(set(numbers(data(), plain))) == 4
    regions = inputs(evaluator(), REGIONS)[1]
    assert regions.inputs.shape == (40, 3, 3, 1) and regions.targets is None


def test_a_second_batch_is_held_out_where_one_is_needed():
    batch = inputs(evaluator(metrics=(KERNEL, "kernel_regression"), augment=False), KERNEL)[1]
    assert len({*numbers(data(), batch), *numbers(data(), batch.held_out)}) == 8
    alone = inputs(evaluator(augment=False), KERNEL)[1]
    assert alone.held_out is None
    np.testing.assert_array_equal(alone.inputs, batch.inputs)


def own(monkeypatch, fn, name="own", **said) -> str:
    """Registers a metric for one test."""
    monkeypatch.setitem(METRICS, name, Metric(fn, True, "none", **said))
    return name


def test_engine_chunk_options_and_classes_reach_a_metric(monkeypatch):
    seen = []

    def fn(probe, *, scale=1.0):
        seen.append((probe.engine, probe.chunk, scale, probe.output_shape))
        return probe.batch.inputs.sum()

    name = own(monkeypatch, fn)
    settings = {"engine": "jacobian", "chunk": 2, "options": {name: {"scale": 0.5}}}
    scored(evaluator(metrics=(name,), **settings), masks(1))
    assert set(seen) == {("jacobian", 2, 0.5, (4, 4))}  # four images, four classes


def test_a_metric_may_have_its_own_batch_and_repeats(monkeypatch):
    """So many values in a score, of batches of that size; the protocol's options come first."""
    size = own(monkeypatch, lambda probe: jnp.float32(len(probe.batch)), batch_size=6, repeats=3)
    first = own(monkeypatch, lambda probe: probe.batch.inputs[0].sum(), "first", repeats=3)
    plain = own(monkeypatch, lambda probe: jnp.float32(len(probe.batch)), "plain")
    metrics = (plain, size, first)
    [score] = scored(evaluator(metrics=metrics), masks(1))
    assert score.values[plain].tolist() == [4, 4] and score.values[size].tolist() == [6, 6, 6]
    assert len(set(score.values[first])) == 3  # a batch each
    assert {n: len(flags) for n, flags in score.flags.items()} == {plain: 2, size: 3, first: 3}
    [alone] = scored(evaluator(metrics=(first,), repeats=1), masks(1))
    np.testing.assert_array_equal(alone.values[first], score.values[first])

    options = {size: {"batch_size": 5, "repeats": 1}, plain: {"repeats": 4}}
    [score] = scored(evaluator(metrics=metrics, options=options), masks(1))
    assert score.values[size].tolist() == [5] and score.values[plain].tolist() == [4] * 4


def test_metrics_of_equal_specs_share_a_program(monkeypatch):
    """And a probe: what they ask of it is traced once."""
    traced, compiled = [], []
    compile_ = module.compiled

    def counting(program, *args):
        compiled.append(program.metrics)
        return compile_(program, *args)

    monkeypatch.setattr(module, "compiled", counting)

    def asks(probe):
        traced.append(probe)
        return probe.outputs.sum()

    said = {
        "one": {},
        "same": {"spec": NetworkSpec(outputs="logits", norms="on")},
        "named": {"spec": NetworkSpec("testing", initialiser="pytorch_default")},
        "smooth": {"spec": NetworkSpec(smooth=True)},
        "frozen": {"spec": NetworkSpec(norms="frozen")},
        "patch": {"spec": NetworkSpec("patch"), "batch_size": 4},
        "larger": {"batch_size": 6},
        "drawn": {"spec": NetworkSpec(initialiser="lecun_normal")},
    }
    for name, fields in said.items():
        own(monkeypatch, asks, name, **fields)
    [score] = scored(evaluator(metrics=tuple(said)), masks(1))
    together = ("one", "same", "named")
    assert compiled == [together, *((name,) for name in said if name not in together)]
    assert len(set(map(id, traced))) == len(compiled) == len(traced) - 2
    values = {name: tuple(score.values[name]) for name in said}
    assert values["one"] == values["same"] == values["named"]
    np.testing.assert_allclose(values["smooth"], values["one"], rtol=1e-4)
    np.testing.assert_allclose(values["frozen"], values["one"], rtol=1e-4)
    assert len({values[name] for name in ("one", "patch", "larger", "drawn")}) == 4


@pytest.mark.parametrize(("network", "shape"), [("published", (16, 64)), ("testing", (3, 3))])
def test_the_network_that_a_protocol_names(monkeypatch, network, shape):
    name = own(monkeypatch, lambda probe: probe.outputs.sum())
    ev = evaluator(metrics=(name,), network=network, repeats=1)
    params, _ = inputs(ev, name)
    stem, dense = params["stem"]["conv"]["kernel"], params["head"]["dense"]["kernel"]
    assert (stem.shape[-1], len(dense)) == shape
    [score] = scored(ev, masks(1))
    assert score.flags == {name: ["ok"]} and score.values[name] != 0


class Undrawn(Images):
    """Data of which nothing may be drawn."""

    def draw(self, *args, **options):
        raise AssertionError("drawn")

    patches = draw


@pytest.mark.parametrize(
    ("metrics", "changes", "words"),
    [
        ((KERNEL,), {"batch_size": 1}, r"condition_number needs at least 2 examples.*\(kernel\)"),
        (("snip", "needy"), {"batch_size": 4}, r"needy needs a network that has.*\(forward_mode\)"),
        (
            ("kernel_regression",),
            {"batch_size": 33},
            "not the 66 of a batch and a held-out",
        ),
        (
            ("snip",),
            {"options": {"snip": {"batch_size": 65}}},
            "has 64 examples, not the 65",
        ),
        (
            ("snip",),
            {"network": "wide"},
            "snip: nas_bench_201 has no network 'wide'; it has",
        ),
        ((KERNEL,), {"options": {KERNEL: {"norms": "of"}}}, "unknown norms of a network 'of'"),
        ((KERNEL,), {"options": {KERNEL: {"initialiser": "ones"}}}, "unknown initialiser 'ones'"),
        (
            ("snip",),
            {"options": {"snip": {"outputs": "features"}}},
            "snip: the network 'testing' of nas_bench_201 has no outputs 'features'; it has logits",
        ),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_drawn(
    monkeypatch, metrics, changes, words
):
    own(monkeypatch, lambda probe: probe.outputs.sum(), "needy", needs=("forward_mode",))

    def fail(*args, **options):
        raise AssertionError("compiled, or drawn")

    monkeypatch.setattr(module, "compiled", fail)
    monkeypatch.setattr(draws.Network, "init", fail)
    images = data()
    unseen = Undrawn(images.images, images.labels, images.classes)
    with pytest.raises(UserError, match=words) as caught:
        Evaluator(SPACE, unseen, tiny(metrics=metrics, **changes), seed=0)
    assert "\n" not in str(caught.value)


def test_labels_of_one_class_are_refused_where_they_are_needed():
    same = Images(data().images, np.zeros(64, int), 4)
    Evaluator(SPACE, same, tiny(), seed=0)
    with pytest.raises(UserError, match="kernel_regression needs labels of two classes"):
        Evaluator(SPACE, same, tiny(metrics=("kernel_regression",)), seed=0)


def test_a_batch_and_what_is_held_out_of_it_may_be_all():
    Evaluator(SPACE, data(), tiny(metrics=("kernel_regression",), batch_size=32), seed=0)


def test_inputs_that_no_metric_of_the_protocol_takes_are_refused():
    tokens = Tokens.random(24, 5, 11, seed=0)
    with pytest.raises(UserError, match=r"linear_regions needs inputs that are floats"):
        Evaluator(SPACE, tokens, tiny(metrics=(REGIONS,)), seed=0)
