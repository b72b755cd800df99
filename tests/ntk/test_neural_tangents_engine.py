"""The neural-tangents engine against J Jᵀ from `jax.jacrev`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tenas_jax.errors import UserError
from tenas_jax.ntk._compat import IMPLEMENTATIONS, kernel

DEFAULT = "jacobian_contraction"
N, C = 5, 4
IMAGE = (6, 6, 3)


pytestmark = pytest.mark.usefixtures("quick_compilation")


def conv(x, w, groups=1):
    dims = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        x, w, (1, 1), "SAME", dimension_numbers=dims, feature_group_count=groups
    )


def norm(x, scale):
    """Batch norm with the batch's own statistics, through which gradients flow."""
    mean = x.mean((0, 1, 2), keepdims=True)
    variance = ((x - mean) ** 2).mean((0, 1, 2), keepdims=True)
    return (x - mean) / jnp.sqrt(variance + 1e-5) * scale[None, None, None]


def average_pool(x):
    window, strides = (1, 3, 3, 1), (1, 1, 1, 1)
    ones = jnp.ones_like(x)
    total = lax.reduce_window(x, 0.0, lax.add, window, strides, "SAME")
    return total / lax.reduce_window(ones, 0.0, lax.add, window, strides, "SAME")


def max_pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


@jax.custom_vjp
def odd_square(x):
    """A square whose stated derivative is 3x: a kernel that ignores the rule comes out wrong."""
    return x * x


odd_square.defvjp(lambda x: (x * x, x), lambda x, g: (3 * x * g,))


def linear(p, x):
    return x.reshape(x.shape[0], -1) @ p["w"]


def mlp(p, x):
    x = jax.nn.relu(x.reshape(x.shape[0], -1) @ p["w1"] + p["b1"][None])
    return (x @ p["w2"]).sum(-1)


def conv_norm(p, x):
    x = conv(jax.nn.relu(norm(conv(x, p["stem"]), p["scale"])), p["conv"])
    return (x.mean((1, 2)) @ p["head"]).sum(-1)


def depthwise(p, x):
    x = conv(jax.nn.relu(conv(x, p["stem"])), p["depth"], groups=C)
    x = norm(conv(x, p["point"]), p["scale"])
    return (max_pool(x).mean((1, 2)) @ p["head"]).sum(-1)


def residual(p, x):
    x = conv(x, p["stem"])
    x = x + average_pool(x) + norm(conv(jax.nn.relu(x), p["conv"]), p["scale"])
    return (jax.nn.relu(x).mean((1, 2)) @ p["head"]).sum(-1)


def custom(p, x):
    x = odd_square(norm(conv(x, p["stem"]), p["scale"]))
    return (conv(x, p["conv"]).mean((1, 2)) @ p["head"]).sum(-1)


STEM, CONV, SCALE, HEAD = (3, 3, 3, C), (3, 3, C, C), (C,), (C, 2)
MODELS = {
    linear: {"w": (108,)},
    mlp: {"w1": (108, 7), "b1": (7,), "w2": (7, 3)},
    conv_norm: {"stem": STEM, "scale": SCALE, "conv": CONV, "head": HEAD},
    depthwise: {
        "stem": STEM,
        "depth": (3, 3, 1, C),
        "point": (1, 1, C, C),
        "scale": SCALE,
        "head": HEAD,
    },
    residual: {"stem": STEM, "conv": CONV, "scale": SCALE, "head": HEAD},
    custom: {"stem": STEM, "scale": SCALE, "conv": CONV, "head": HEAD},
}


def make(model, seed=0):
    """Parameters of a model and two batches, of 5 and 3 images, in NumPy's float64."""
    rng = np.random.default_rng(seed)
    params = {
        k: rng.normal(size=s) / max(1, np.prod(s[:-1])) ** 0.5 for k, s in MODELS[model].items()
    }
    return params, rng.normal(size=(N, *IMAGE)), rng.normal(size=(3, *IMAGE))


def cast(tree, dtype):
    return jax.tree.map(lambda a: jnp.asarray(a, dtype), tree)


@functools.cache
def jacobians(model):
    """J(x1) [5, P] and J(x2) [3, P] in float64, one reverse pass an output."""
    with jax.enable_x64(True):
        params, *batches = cast(make(model), jnp.float64)
        both = jax.jit(lambda p, xs: [jax.jacrev(model)(p, x) for x in xs])(params, batches)
    return [
        np.concatenate([np.asarray(r).reshape(r.shape[0], -1) for r in jax.tree.leaves(j)], axis=1)
        for j in both
    ]


def error(found, wanted):
    assert found.shape == wanted.shape
    return np.abs(np.asarray(found, np.float64) - wanted).max() / np.abs(wanted).max()


def jitted(model, implementation=DEFAULT):
    return jax.jit(functools.partial(kernel, model, implementation=implementation))


by_name = pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)


@by_name
def test_float64_equals_explicit_jacobians(model, x64):
    j1, j2 = jacobians(model)
    params, x1, x2 = cast(make(model), jnp.float64)
    square, cross = jax.jit(lambda *a: (kernel(model, *a[:2]), kernel(model, *a)))(params, x1, x2)
    assert square.dtype == cross.dtype == jnp.float64
    assert error(square, j1 @ j1.T) < 1e-10
    assert error(cross, j1 @ j2.T) < 1e-10


@pytest.mark.parametrize("model", [linear, mlp, depthwise, custom], ids=lambda m: m.__name__)
@pytest.mark.parametrize("implementation", [i for i in IMPLEMENTATIONS if i != DEFAULT])
def test_other_implementations_agree(model, implementation, x64):
    j1, j2 = jacobians(model)
    found = jitted(model, implementation)(*cast(make(model), jnp.float64))
    assert error(found, j1 @ j2.T) < 1e-10


@by_name
def test_float32_is_close_to_float64(model):
    j, _ = jacobians(model)
    params, x, _ = cast(make(model), jnp.float32)
    found = jitted(model)(params, x)
    assert found.dtype == jnp.float32
    assert error(found, j @ j.T) < 1e-4


def test_linear_model_has_the_inputs_gram_matrix(x64):
    params, x, _ = cast(make(linear), jnp.float64)
    flat = np.asarray(x).reshape(N, -1)
    np.testing.assert_allclose(kernel(linear, params, x), flat @ flat.T, rtol=1e-13)


def test_samples_are_coupled_through_the_batch(x64):
    """The kernel of a part of the batch is not a part of the kernel."""
    params, x, _ = cast(make(conv_norm), jnp.float64)
    run = jitted(conv_norm)
    assert error(run(params, x[:3]), np.asarray(run(params, x))[:3, :3]) > 1e-3


def test_vmap_over_parameters_and_closed_over_masks(x64):
    _, x, _ = cast(make(conv_norm), jnp.float64)
    seeds = [make(conv_norm, seed)[0] for seed in range(2)]
    masks = jnp.array([[1.0, 0.3], [0.5, 1.0]])
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *cast(seeds, jnp.float64))

    def one(params, mask):
        def f(params, x):
            a, b = mask
            return conv_norm({**params, "stem": a * params["stem"], "conv": b * params["conv"]}, x)

        return kernel(f, params, x)

    batched = jax.jit(jax.vmap(jax.vmap(one, (None, 0)), (0, None)))(stacked, masks)
    assert batched.shape == (2, 2, N, N)
    single = jax.jit(one)
    for s, params in enumerate(seeds):
        for m, mask in enumerate(masks):
            assert error(batched[s, m], np.asarray(single(params, mask))) < 1e-12


def test_gradient_in_a_closed_over_mask(x64):
    params, x, _ = cast(make(mlp), jnp.float64)

    def trace(scale):
        return jnp.trace(kernel(lambda p, x: scale * mlp(p, x), params, x))

    value, slope = jax.jit(jax.value_and_grad(trace))(3.0)  # The kernel grows as scale².
    np.testing.assert_allclose(slope, 2 * value / 3.0, rtol=1e-12)


def test_matrix_products_run_in_full_float32():
    params, x, _ = cast(make(conv_norm), jnp.float32)
    program = str(jax.make_jaxpr(functools.partial(kernel, conv_norm))(params, x))
    dots = program.count("dot_general[") + program.count("conv_general_dilated[")
    assert dots > 0
    assert jax.config.jax_default_matmul_precision is None
    assert program.count("precision=None") == 0


def test_wrong_requests_are_one_clear_line():
    params, x, _ = cast(make(mlp), jnp.float32)
    with pytest.raises(UserError, match="did you mean 'jacobian_contraction'"):
        kernel(mlp, params, x, implementation="jacobian_contractions")
    with pytest.raises(UserError, match=r"shape \[N\], found \[5, 108\]"):
        kernel(lambda p, x: x.reshape(N, -1) * p["b1"][0], params, x)
    with pytest.raises(UserError, match="at least one parameter"):
        kernel(lambda p, x: x.sum((1, 2, 3)), {}, x)
