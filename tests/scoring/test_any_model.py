"""`score` on a user's own model, and the README's examples."""

import re
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tenas_jax
from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, Metric

README = Path(__file__).parents[2] / "README.md"
pytestmark = pytest.mark.usefixtures("quick_compilation")


class Net(nn.Module):
    """A small network with state, as users have."""

    @nn.compact
    def __call__(self, x, train: bool = True):
        x = nn.Conv(4, (3, 3))(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        return nn.Dense(3)(x.mean((1, 2)))


IMAGES = np.random.default_rng(0).standard_normal((6, 8, 8, 3)).astype(np.float32)


def test_the_readme_examples_run():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    examples = [block for block in blocks if "tenas_jax.score(" in block]
    names: dict = {}
    exec(compile("\n".join(examples), "README.md", "exec"), names)
    assert set(names["scores"]) == {"condition_number", "linear_regions"}
    assert names["scores"]["condition_number"] >= 1
    assert [set(names[kind]) for kind in ("of_nnx", "of_equinox", "of_function")] == [
        {"condition_number", "linear_regions"}
    ] * 3


def test_by_key_by_variables_and_by_parameters_agree():
    variables = Net().init(jax.random.key(1), IMAGES)
    a = tenas_jax.score(Net(), jax.random.key(1), IMAGES)
    b = tenas_jax.score(Net(), variables, IMAGES)
    assert a == pytest.approx(b, rel=1e-4)
    assert a["linear_regions"] == 6


def test_options_reach_the_module():
    train = tenas_jax.score(Net(), jax.random.key(1), IMAGES, ["condition_number"])
    still = tenas_jax.score(Net(), jax.random.key(1), IMAGES, ["condition_number"], train=False)
    assert train["condition_number"] != pytest.approx(still["condition_number"], rel=1e-3)


def test_the_condition_number_is_that_of_the_summed_logits():
    class Linear(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(5, use_bias=False)(x)

    x = np.random.default_rng(1).standard_normal((4, 7)).astype(np.float32)
    eigenvalues = np.linalg.eigvalsh(x.astype(float) @ x.T.astype(float))
    value = tenas_jax.score(Linear(), jax.random.key(0), x, ["condition_number"])
    assert value["condition_number"] == pytest.approx(eigenvalues[-1] / eigenvalues[0], rel=1e-3)


def test_a_constant_batch_warns_and_is_nan():
    with pytest.warns(UserWarning, match="condition_number is bad: its kernel is"):
        value = tenas_jax.score(Net(), jax.random.key(0), jnp.ones((4, 8, 8, 3)))
    assert np.isnan(value["condition_number"])
    assert value["linear_regions"] == 1


@pytest.mark.parametrize(
    ("images", "metrics", "words"),
    [
        (IMAGES[:1], ["condition_number"], "needs at least 2 examples, whose kernel"),
        (IMAGES[0, 0, 0], ["linear_regions"], "a batch"),
        (IMAGES[:0], ["linear_regions"], "at least one"),
        (np.where(IMAGES > 2, np.nan, IMAGES), ["linear_regions"], "NaN"),
        (IMAGES.astype(np.uint8), ["linear_regions"], r"floating-point .*not uint8 of shape .6"),
        (IMAGES > 0, ["linear_regions"], "floating-point numbers, or whole ones .*not bool"),
        ("images", ["linear_regions"], "inputs must be an array, not a str"),
        (IMAGES, ["kappa"], "unknown metric 'kappa'"),
        (IMAGES, [], "no metric is named; valid: condition_number"),
        ((IMAGES, [0, 1, 2]), ["condition_number"], r"integers of shape \(6,\)"),
        ((IMAGES, np.zeros(6)), ["condition_number"], "integers .* not float64"),
        ((IMAGES, 1, 2), ["condition_number"], "not a tuple of 3"),
    ],
)
def test_bad_input(images, metrics, words):
    with pytest.raises(UserError, match=words):
        tenas_jax.score(Net(), jax.random.key(0), images, metrics)


LABELS = np.arange(6) % 3


def test_all_three_quantities_of_labelled_batches():
    found = tenas_jax.score(
        Net(), jax.random.key(1), (IMAGES, LABELS), validation=(IMAGES[::-1], LABELS)
    )
    assert set(found) == {n for n, m in METRICS.items() if "forward_mode" not in m.needs}
    alone = tenas_jax.score(Net(), jax.random.key(1), IMAGES)
    assert set(alone) == {"condition_number", "linear_regions"}
    assert {name: found[name] for name in alone} == pytest.approx(alone, rel=1e-5)
    labelled = tenas_jax.score(Net(), jax.random.key(1), (IMAGES, LABELS))
    assert set(labelled) == {*alone, "snip"}


@pytest.mark.parametrize(
    ("batch", "validation", "words"),
    [
        (IMAGES, (IMAGES, LABELS), "needs labels: data, or a batch"),
        ((IMAGES, LABELS), None, r"needs another batch: give validation="),
        ((IMAGES, LABELS), IMAGES, "needs another batch"),
        ((IMAGES, 0 * LABELS), (IMAGES, LABELS), "labels of two classes at least; this batch"),
        ((IMAGES, LABELS), (IMAGES, 0 * LABELS + 1), "needs labels of two classes"),
        ((IMAGES, LABELS), (IMAGES[:, :4], LABELS), r"held-out inputs are \(4, 8, 3\), not \(8"),
        ((IMAGES, LABELS), (IMAGES[:0], LABELS[:0]), "at least one"),
        ((IMAGES, LABELS + 1), (IMAGES, LABELS), r"labels must be from 0 to 2, .* not 3"),
        ((IMAGES, LABELS), (IMAGES, LABELS - 1), r"labels must be from 0 to 2, .* not -1"),
    ],
)
def test_batches_on_which_there_is_no_regression(batch, validation, words):
    with pytest.raises(UserError, match=words):
        tenas_jax.score(
            Net(), jax.random.key(0), batch, ["kernel_regression"], validation=validation
        )


class Dropped(nn.Module):
    """A network that draws numbers when it is called."""

    @nn.compact
    def __call__(self, x, train: bool = True):
        x = nn.Dropout(0.5, deterministic=not train)(x.reshape(len(x), -1))
        return nn.Dense(3)(x)


def test_dropout_is_drawn_by_the_key_and_held():
    kappa = ["condition_number"]
    first = tenas_jax.score(Dropped(), jax.random.key(0), IMAGES, kappa, key=jax.random.key(1))
    again = tenas_jax.score(Dropped(), jax.random.key(0), IMAGES, kappa, key=jax.random.key(1))
    other = tenas_jax.score(Dropped(), jax.random.key(0), IMAGES, kappa, key=jax.random.key(2))
    assert first == again and first != other


def test_one_metric_may_be_named_alone():
    assert set(tenas_jax.score(Net(), jax.random.key(1), IMAGES, "linear_regions")) == {
        "linear_regions"
    }


def test_the_smallest_batch_is_taken():
    assert tenas_jax.score(Net(), jax.random.key(0), IMAGES[:2], ["condition_number"])


def test_parameters_alone_do():
    class Dense(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(5)(nn.relu(nn.Dense(8)(x)))

    x = IMAGES.reshape(6, -1)
    variables = Dense().init(jax.random.key(1), x)
    a = tenas_jax.score(Dense(), variables, x)
    assert tenas_jax.score(Dense(), variables["params"], x) == a


def test_the_key_reaches_the_metric(monkeypatch):
    drawn = Metric(lambda probe: jax.random.uniform(probe.key), True, "none")
    monkeypatch.setitem(METRICS, "drawn", drawn)
    for key, given in ((jax.random.key(5), {"key": jax.random.key(5)}), (jax.random.key(0), {})):
        value = tenas_jax.score(Net(), jax.random.key(1), IMAGES, ["drawn"], **given)
        assert value == {"drawn": float(jax.random.uniform(key))}


class Tokens(nn.Module):
    """Logits of a mean of embeddings, of which the dense layer's kernel is a kernel's weights."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.relu(nn.Dense(8)(nn.Embed(11, 5)(x).mean(1))))


TOKENS = np.random.default_rng(2).integers(0, 11, (6, 7))


def test_tokens_are_scored_by_what_needs_no_continuous_inputs():
    params = Tokens().init(jax.random.key(0), TOKENS)["params"]
    value = tenas_jax.score(Tokens(), jax.random.key(0), TOKENS)
    assert set(value) == {"condition_number"} and 1 < value["condition_number"] < 1e5
    embedded = params["Embed_0"]["embedding"][TOKENS].mean(1)

    class Dense(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(nn.relu(nn.Dense(8)(x)))

    rest = {name: tree for name, tree in params.items() if name != "Embed_0"}
    same = tenas_jax.score(Dense(), rest, embedded, ["condition_number"])
    assert value == pytest.approx(same, rel=1e-3)
    labels = LABELS
    given = tenas_jax.score(
        Tokens(), jax.random.key(0), (TOKENS, labels), validation=(TOKENS[::-1], labels)
    )
    assert set(given) == {"condition_number", "kernel_regression", "snip"}


@pytest.mark.parametrize("name", ["linear_regions", "length_distortion"])
def test_metrics_of_a_continuous_space_refuse_tokens(name):
    with pytest.raises(UserError, match=f"^{name} needs inputs that are floats"):
        tenas_jax.score(Tokens(), jax.random.key(0), TOKENS, [name])
