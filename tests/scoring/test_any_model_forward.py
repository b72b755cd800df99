"""`score` with metrics that take derivatives in forward mode."""

import flax.linen as nn
import jax
import numpy as np
import pytest

import tenas_jax
from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, Metric

IMAGES = np.random.default_rng(0).standard_normal((6, 8, 8, 3)).astype(np.float32)
pytestmark = pytest.mark.usefixtures("quick_compilation")

FORWARD = [name for name, m in METRICS.items() if "forward_mode" in m.needs]


@jax.custom_vjp
def squared(x):
    """A function with a hand-written backward pass."""
    return x * x


squared.defvjp(lambda x: (x * x, x), lambda x, dy: (2 * x * dy,))


class HandWritten(nn.Module):
    """A network that holds it, or on demand what it stands for."""

    plain: bool = False

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(5)(x.reshape(len(x), -1))
        return x * x if self.plain else squared(x)


@pytest.mark.parametrize("name", FORWARD)
def test_metrics_in_forward_mode_must_be_asked_for(name):
    assert len(FORWARD) == 3
    params = HandWritten().init(jax.random.key(0), IMAGES)
    scores = tenas_jax.score(HandWritten(plain=True), params, IMAGES, [name])
    assert set(scores) == {name} and 0 < scores[name] < np.inf
    with pytest.raises(UserError, match=rf"{name} takes .* in forward mode.*form='plain'") as error:
        tenas_jax.score(HandWritten(), params, IMAGES, [name])
    assert "\n" not in str(error.value)
    assert "condition_number" in tenas_jax.score(HandWritten(), params, IMAGES, "condition_number")


def test_metrics_in_forward_mode_are_left_out_by_default():
    class Rectified(nn.Module):
        @nn.compact
        def __call__(self, x):
            return squared(nn.relu(nn.Dense(5)(x.reshape(len(x), -1))))

    scores = tenas_jax.score(Rectified(), jax.random.key(0), IMAGES)
    assert set(scores) == {"condition_number", "linear_regions"}


@pytest.mark.parametrize("error", [TypeError, NotImplementedError])
def test_other_errors_of_a_metric_are_not_taken_for_it(monkeypatch, error):
    def fails(probe):
        raise error("something else")

    monkeypatch.setitem(METRICS, "fails", Metric(fails, True, "none", needs=("forward_mode",)))
    with pytest.raises(error, match="something else"):
        tenas_jax.score(HandWritten(), jax.random.key(0), IMAGES, ["fails"])


@pytest.mark.parametrize("name", FORWARD)
def test_a_value_that_is_not_finite_warns(name):
    class Constant(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(0 * x.mean((1, 2)))

    with pytest.warns(UserWarning, match=f"{name} is bad: it is not finite"):
        value = tenas_jax.score(Constant(), jax.random.key(0), IMAGES, [name])
    assert np.isnan(value[name])
