"""Both forms of the summed normalised convolutions, against Flax's convolution and a plain norm."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.networks.layers.conv_norm import FORMS, resolve_form, sum_of_conv_norms
from tenas_jax.networks.layers.maps import NORMS

# kernel sizes, (stride, dilation), (H, W), channels in, channels out
CASES = {
    "3 and 1": ((3, 1), (1, 1), (6, 4), 2, 3),
    "5 and 3": ((5, 3), (1, 1), (5, 7), 3, 2),
    "3 at stride 2": ((3,), (2, 1), (6, 4), 2, 3),
    "5, 1 and 1 at stride 2": ((5, 1, 1), (2, 1), (4, 8), 2, 2),
    "5 and 3 dilated": ((5, 3), (1, 2), (3, 6), 2, 2),
    "3 dilated at stride 2": ((3,), (2, 2), (6, 3), 1, 2),
}
N, COTANGENTS = 3, 2

by_case = pytest.mark.parametrize("case", CASES)
by_form = pytest.mark.parametrize("form", FORMS)


pytestmark = pytest.mark.usefixtures("quick_compilation")


def convolved(images, kernel, stride, dilation):
    """A convolution of [N, H, W, C] by `flax.linen.Conv`."""
    half = kernel.shape[0] // 2 * dilation
    conv = nn.Conv(
        kernel.shape[-1],
        kernel.shape[:2],
        strides=stride,
        padding=[(half, half), (half, half)],
        kernel_dilation=dilation,
        use_bias=False,
    )
    return conv.apply({"params": {"kernel": kernel}}, images)


def statistics(y, axes=(0, 1, 2)):
    """Mean and deviation of [N, H, W, C] over some axes."""
    return y.mean(axes, keepdims=True), jnp.sqrt(y.var(axes, keepdims=True) + 1e-5)


def reference(x, kernels, scales, biases, stride, dilation, of=statistics):
    """The definition, with statistics of a convolution's output as `of` gives them."""
    images, total = x.transpose(3, 1, 2, 0), 0
    for kernel, scale, bias in zip(kernels, scales, biases, strict=True):
        y = convolved(images, kernel, stride, dilation)
        mean, deviation = of(y)
        scale, bias = (a.reshape(1, 1, 1, -1) for a in (scale, bias))
        total = total + (y - mean) / deviation * scale + bias
    return total.transpose(3, 1, 2, 0)


def held(case):
    """A function that gives the statistics of a case's own convolutions, as constants, in turn."""
    (x, kernels, _, _), (stride, dilation) = cast(make(case)[0], jnp.float64), CASES[case][1]
    images = x.transpose(3, 1, 2, 0)
    constants = [statistics(convolved(images, kernel, stride, dilation)) for kernel in kernels]

    def of(y):
        constants.append(constants.pop(0))
        return constants[-1]

    return of


def options(case):
    return dict(zip(("stride", "dilation"), CASES[case][1], strict=True))


@functools.cache
def make(case):
    """x, kernels, scales, biases and cotangents, in NumPy's float64."""
    sizes, (stride, _), (height, width), channels, features = CASES[case]
    rng = np.random.default_rng(0)
    kernels = [rng.normal(size=(k, k, channels, features)) / k for k in sizes]
    scales = [1 + 0.3 * rng.normal(size=features) for _ in sizes]
    biases = [rng.normal(size=features) for _ in sizes]
    x = rng.normal(size=(channels, height, width, N)) + 0.5
    shape = (COTANGENTS, features, -(-height // stride), -(-width // stride), N)
    return (x, kernels, scales, biases), rng.normal(size=shape)


def cast(tree, dtype):
    return jax.tree.map(lambda a: jnp.asarray(a, dtype), tree)


def value_and_pullback(fn, args, cotangents):
    """The value, and the gradients for every cotangent at once."""
    value, pullback = jax.vjp(fn, *args)
    return value, jax.vmap(pullback)(cotangents)


@functools.cache
def expected(case):
    args, cotangents = make(case)
    with jax.enable_x64(True):
        fn = functools.partial(reference, **options(case))
        run = jax.jit(lambda args, c: value_and_pullback(fn, args, c))
        return jax.tree.map(np.asarray, run(*cast((args, cotangents), jnp.float64)))


def assert_close(got, wanted, tolerance):
    got, wanted = jax.tree.leaves(got), jax.tree.leaves(wanted)
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        assert a.shape == b.shape
        assert np.abs(np.asarray(a, np.float64) - b).max() < tolerance * np.abs(b).max()


def check(case, form, dtype, tolerance):
    args, cotangents = cast(make(case), dtype)
    fn = functools.partial(sum_of_conv_norms, **options(case), form=form)
    got = jax.jit(lambda args, c: value_and_pullback(fn, args, c))(args, cotangents)
    assert all(leaf.dtype == dtype for leaf in jax.tree.leaves(got))
    assert_close(got, expected(case), tolerance)


@by_form
@by_case
def test_values_and_gradients_in_float64(case, form, x64):
    check(case, form, jnp.float64, 1e-10)


@by_form
@pytest.mark.parametrize("case", ["3 and 1"])
def test_values_and_gradients_in_float32(case, form):
    check(case, form, jnp.float32, 1e-4)


@pytest.mark.parametrize("case", ["3 and 1", "3 at stride 2"])
@pytest.mark.parametrize("norms", sorted(set(NORMS) - {"on"}))
def test_values_and_gradients_with_other_norms(norms, case, x64):
    by_hand = {
        "frozen": held(case),
        "sample": lambda y: statistics(y, (1, 2)),
        "identity": lambda y: (0.0, 1.0),
    }
    args, cotangents = cast(make(case), jnp.float64)
    steps = options(case)
    wanted = functools.partial(reference, **steps, of=by_hand[norms])
    fn = functools.partial(sum_of_conv_norms, **steps, form="plain", norms=norms)
    results = [jax.jit(lambda a, c, f=f: value_and_pullback(f, a, c)) for f in (fn, wanted)]
    mine, theirs = (run(args, cotangents) for run in results)
    assert_close(mine, jax.tree.map(np.asarray, theirs), 1e-10)
    with pytest.raises(UserError, match=f"'condensed' has norms 'on' alone, not '{norms}'"):
        sum_of_conv_norms(*args, **steps, form="condensed", norms=norms)


def test_condensed_holds_no_convolution():
    """Neither forward nor backward, whatever the stride: loops over cotangents rest on it."""
    for case in CASES:
        args, cotangents = cast(make(case), jnp.float32)
        fn = functools.partial(sum_of_conv_norms, **options(case))

        def count(form, fn=fn, args=args, cotangents=cotangents):
            run = functools.partial(value_and_pullback, functools.partial(fn, form=form))
            return str(jax.make_jaxpr(run)(args, cotangents)).count("conv_general_dilated[")

        assert count("condensed") == 0 < count("plain")


@pytest.mark.parametrize("case", ["3 at stride 2"])
def test_second_derivatives_agree(case, x64):
    args, cotangents = cast(make(case), jnp.float64)

    def second(fn):
        def squares(args):
            value, pullback = jax.vjp(fn, *args)
            gradients = pullback(cotangents[0] + 0.1 * value)
            return sum((leaf**2).sum() for leaf in jax.tree.leaves(gradients))

        return jax.jit(jax.grad(squares))(args)

    wanted = jax.tree.map(np.asarray, second(functools.partial(reference, **options(case))))
    for form in FORMS:
        got = second(functools.partial(sum_of_conv_norms, **options(case), form=form))
        # x moves these squares through the norm alone, hence some cancellation
        assert_close(got, wanted, 1e-9)


def test_forward_mode_in_plain(x64):
    args, _ = cast(make("3 and 1"), jnp.float64)
    tangents = jax.tree.map(jnp.cos, args)
    fns = [
        functools.partial(reference, stride=1, dilation=1),
        functools.partial(sum_of_conv_norms, form="plain"),
    ]
    wanted, got = (jax.jit(lambda a, t, f=f: jax.jvp(f, a, t)[1])(args, tangents) for f in fns)
    assert_close(got, np.asarray(wanted), 1e-10)


def test_auto_is_condensed_on_cpu_and_plain_elsewhere(monkeypatch):
    for backend, form in {"cpu": "condensed", "gpu": "plain", "tpu": "plain"}.items():
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        assert resolve_form("auto") == form
        assert resolve_form("plain") == "plain" and resolve_form("condensed") == "condensed"


def test_an_unknown_form_is_one_clear_line():
    args, _ = cast(make("3 and 1"), jnp.float32)
    with pytest.raises(UserError, match="unknown form 'condense'.*'condensed'.*plain, condensed"):
        sum_of_conv_norms(*args, form="condense")
