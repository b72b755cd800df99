"""The one function that makes a network for training, and what it refuses."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.networks.layers.trained import Classifier
from tenas_jax.networks.trained import derived, size_fields

KEY = jax.random.key(0)
ARCHS = {name: spaces.get(name).sample(np.random.default_rng(0)) for name in spaces.SPACES}
SMALL = dict(classes=3, channels=2, depth=1)
SMALLEST = {
    "nas_bench_201": SMALL,
    "darts": SMALL,
    "as_vit": dict(classes=3, depths=(1, 1, 1, 1), hidden=8),
}
LARGER = {"nas_bench_201": {"depth": 2}, "darts": {"depth": 2}, "as_vit": {"depths": [1, 1, 2, 1]}}


@pytest.fixture(scope="module", autouse=True)
def _quick(quick_compilation):
    pass


def shapes(module, images, train=True):
    return jax.eval_shape(lambda: module.init_with_output(KEY, images, train=train))


@pytest.mark.parametrize("space", spaces.SPACES)
def test_a_module_is_a_value(space):
    """So a compiled program knows it again, and another architecture is another program."""
    other = next(iter(spaces.get(space).neighbours(ARCHS[space])))
    size = SMALLEST[space]
    one, same = (derived(space, ARCHS[space], **size) for _ in range(2))
    assert one == same and hash(one) == hash(same)
    assert one != derived(space, other, **size)
    assert one != derived(space, ARCHS[space], **size | LARGER[space])
    assert one.arch == tuple(map(tuple, ARCHS[space].tolist()))


def dtypes_of_products(jaxpr):
    by_name = {}
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("conv_general_dilated", "dot_general"):
            by_name.setdefault(equation.primitive.name, set()).add(equation.outvars[0].aval.dtype)
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                for name, dtypes in dtypes_of_products(inner).items():
                    by_name.setdefault(name, set()).update(dtypes)
    return by_name


@pytest.mark.parametrize("space", spaces.SPACES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_bfloat16_computes_but_keeps_nothing(space, dtype):
    """All convolutions are in `dtype`; parameters, statistics and logits are not.

    So are the dense layers of a transformer but the last, which has no convolutions.
    """
    size = dict(auxiliary=True, depth=3) if space == "darts" else {}
    module = derived(space, ARCHS[space], dtype=dtype, **SMALLEST[space] | size)
    images = jnp.ones((2, 32, 32, 3))
    (logits, auxiliary), variables = shapes(module, images)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert logits.dtype == jnp.float32
    assert (auxiliary.dtype == jnp.float32) if size else auxiliary is None
    traced = jax.make_jaxpr(lambda v: module.apply(v, images, train=True, mutable=["batch_stats"]))(
        variables
    )
    got = dtypes_of_products(traced.jaxpr)
    last = {jnp.dtype("float32")}
    if space == "as_vit":
        assert got == {"dot_general": {jnp.dtype(dtype)} | last}
    else:
        assert got == {"conv_general_dilated": {jnp.dtype(dtype)}, "dot_general": last}
    _, state = jax.eval_shape(
        lambda v: module.apply(v, images, train=True, mutable=["batch_stats"]), variables
    )
    kept = set() if space == "as_vit" else {jnp.dtype("float32")}  # layer norms keep nothing
    assert {leaf.dtype for leaf in jax.tree.leaves(state)} == kept


def test_bfloat16_is_near_float32(variables_of, images_of):
    images = images_of(4, 8)
    arch = [[3, 4, 1, 2, 4, 3]]
    logits = []
    for dtype in (jnp.float32, jnp.bfloat16):
        module = derived("nas_bench_201", arch, classes=3, channels=4, depth=1, dtype=dtype)
        variables = variables_of(module, images)
        run = jax.jit(lambda v, x, m=module: m.apply(v, x, train=False)[0])
        logits.append(np.asarray(run(variables, images)))
    exact, rough = logits
    scale = np.abs(exact).max()
    assert 1e-5 * scale < np.abs(rough - exact).max() < 0.05 * scale


def test_the_last_layer_means_in_float32():
    """A mean of 64 bfloat16 numbers, kept as one, would lose most of its digits."""
    x = jax.random.normal(KEY, (2, 8, 8, 4), jnp.bfloat16)
    head = Classifier(3)
    variables = head.init(KEY, x, train=False)
    rough, exact = (head.apply(variables, v, train=False) for v in (x, x.astype(jnp.float32)))
    np.testing.assert_array_equal(rough, exact)


def test_sizes_are_those_of_the_module():
    assert size_fields("nas_bench_201") == ["channels", "depth", "dropout"]
    wanted = ["channels", "depth", "stem", "auxiliary", "dropout"]
    assert size_fields("darts") == wanted
    assert size_fields("as_vit") == ["depths", "hidden"]


@pytest.mark.parametrize(
    "space, arch, size, message",
    [
        ("dart", [[0]], {}, "unknown space 'dart' .did you mean 'darts'.*nas_bench_201"),
        ("nas_bench_201", [[1] * 5], {}, r"shape \(1, 6\)"),
        ("nas_bench_201", [[1, 2, 3, 4, 5, 0]], {}, "unknown operation number 5"),
        ("nas_bench_201", [[1.0] * 6], {}, "integer array"),
        ("darts", np.zeros((2, 14), int), {}, "normal: node 2 has 0 inputs; valid: 2"),
        ("darts", [[1] * 6], {}, r"shape \(2, 14\)"),
    ],
)
def test_what_is_no_architecture_is_refused(space, arch, size, message):
    with pytest.raises(UserError, match=message):
        derived(space, arch, classes=2, **size)


@pytest.mark.parametrize(
    "space, size, message",
    [
        ("darts", dict(channel=16), "unknown size field of darts 'channel'.*did you mean 'ch"),
        ("nas_bench_201", dict(auxiliary=True), "'auxiliary'.*valid: channels, depth, dropout"),
        ("darts", dict(name="x"), "unknown size field of darts 'name'"),
        ("darts", dict(channels=3), "channels is 3; valid: even"),
        ("darts", dict(channels=0), "channels is 0; valid: a whole number from 1"),
        ("nas_bench_201", dict(depth=0), "depth is 0; valid: a whole number from 1"),
        ("nas_bench_201", dict(depth=2.0), "depth is 2.0; valid"),
        ("nas_bench_201", dict(depth=True), "depth is True; valid"),
        ("nas_bench_201", dict(classes=0), "classes is 0; valid"),
        ("darts", dict(stem="imagent"), "unknown stem 'imagent'.*did you mean 'imagenet'"),
        ("darts", dict(auxiliary="no"), "auxiliary is 'no'; valid: True, False"),
        ("darts", dict(dropout=1.0), "dropout is 1.0; valid: a number from 0 to below 1"),
        ("darts", dict(dtype="float16"), "dtype is 'float16'; valid: float32, bfloat16"),
        ("darts", dict(dtype="float3"), "dtype is 'float3'; valid: float32, bfloat16"),
    ],
)
def test_sizes_that_make_no_network_are_refused(space, size, message):
    with pytest.raises(UserError, match=message):
        derived(space, ARCHS[space], **{"classes": 2} | size)


@pytest.mark.parametrize(
    "space, size, shape, message",
    [
        ("nas_bench_201", {}, (2, 30, 32, 3), "30 x 32 do not fit.*multiples of 4$"),
        ("nas_bench_201", {}, (32, 32, 3), r"shape \(32, 32, 3\); valid: \(N, height"),
        ("darts", dict(depth=3), (2, 32, 18, 3), "32 x 18 do not fit.*multiples of 4$"),
        ("darts", dict(depth=1), (2, 3, 4, 3), "3 x 4 do not fit.*multiples of 2$"),
        ("darts", dict(depth=3, stem="imagenet"), (2, 48, 64, 3), "48 x 64.*multiples of 32$"),
        ("darts", dict(depth=3, auxiliary=True), (2, 28, 32, 3), "multiples of 4 from 32$"),
        (
            "darts",
            dict(depth=3, auxiliary=True, stem="imagenet"),
            (2, 192, 192, 3),
            "multiples of 32 from 224$",
        ),
    ],
)
def test_images_that_do_not_fit_are_refused(space, size, shape, message):
    module = derived(space, ARCHS[space], **SMALL | size)
    with pytest.raises(UserError) as caught:
        shapes(module, jnp.zeros(shape))
    # without the notes that JAX adds to what is raised while it traces
    assert re.search(message, str(caught.value)) and "\n" not in str(caught.value)


def test_the_smallest_images_that_fit():
    for size, side in ((dict(depth=3), 4), (dict(depth=1), 2), (dict(depth=3, auxiliary=True), 32)):
        module = derived("darts", ARCHS["darts"], **SMALL | size)
        (logits, _), _ = shapes(module, jnp.zeros((1, side, side, 3)))
        assert logits.shape == (1, 3)
