"""Eigenvalues and condition numbers of kernels whose spectrum is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.ntk import FLAGS, conditioning, spectrum

N = 8
DTYPES = ["float32", "float64"]
pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture(params=DTYPES)
def dtype(request):
    with jax.enable_x64(request.param == "float64"):
        yield request.param


def rotated(eigenvalues, dtype):
    """A full matrix of these eigenvalues."""
    n = len(eigenvalues)
    q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(n, n)))
    return jnp.asarray(q * np.asarray(eigenvalues, float) @ q.T, dtype)


def flag(result):
    return FLAGS[int(result.flag)]


def test_known_spectra(dtype):
    tolerance = 20 * np.finfo(dtype).eps
    diagonal = jnp.diag(jnp.asarray([3.0, -1.0, 2.0], dtype))
    np.testing.assert_allclose(spectrum(diagonal), [-1, 2, 3], rtol=tolerance)
    wanted = np.arange(1.0, N + 1)
    found = spectrum(rotated(wanted[::-1], dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, wanted, rtol=N * tolerance)
    # the symmetric part counts
    np.testing.assert_allclose(
        spectrum(jnp.asarray([[2.0, 2.0], [0.0, 2.0]], dtype)), [1, 3], rtol=tolerance
    )


def test_condition_number_by_hand(dtype):
    result = conditioning(jnp.asarray([[2.0, 1.0], [1.0, 2.0]], dtype))
    np.testing.assert_allclose(result.value, 3, rtol=20 * np.finfo(dtype).eps)
    assert flag(result) == "ok"
    assert result.value.dtype == dtype and result.flag.dtype == jnp.int32
    np.testing.assert_allclose(conditioning(jnp.eye(4, dtype=dtype)).value, 1)


def bad_kernels(dtype):
    eps = np.finfo(dtype).eps
    largest = 3.0
    nan, inf = np.eye(N), np.eye(N)
    nan[2, 5], inf[0, 0] = np.nan, np.inf
    x = np.ones((N, 4)) * np.arange(1.0, 5.0)  # a batch of one image N times

    def smallest(value):
        return np.diag([largest] * (N - 1) + [value * N * eps * largest])

    return [
        (nan, "not finite"),
        (inf, "not finite"),
        (-inf, "not finite"),
        (x @ x.T, "singular"),
        (np.zeros((N, N)), "singular"),
        (smallest(0.5), "singular"),
        (smallest(-0.5), "singular"),
        (smallest(1.5), "ok"),
        (smallest(-1.5), "not positive"),
        (np.diag([1.0] * (N - 1) + [-0.1]), "not positive"),
        (-np.eye(N), "not positive"),
        (np.diag(np.arange(1.0, N + 1)), "ok"),
    ]


def test_what_is_wrong_is_named_and_its_value_is_nan(dtype):
    cases = bad_kernels(dtype)
    run = jax.jit(conditioning)
    for kernel, wanted in cases:
        result = run(jnp.asarray(kernel, dtype))
        assert flag(result) == wanted, kernel
        assert bool(jnp.isnan(result.value)) == (wanted != "ok"), kernel
    assert {wanted for _, wanted in cases} == set(FLAGS)


def test_a_kernel_that_is_not_finite_has_a_spectrum_of_nan():
    kernel = jnp.eye(3).at[0, 1].set(jnp.nan)
    assert jnp.isnan(spectrum(kernel)).all()


def test_vmap_and_jit_equal_a_loop(dtype):
    """One bad kernel does not spoil its neighbours."""
    kernels = jnp.asarray(np.stack([kernel for kernel, _ in bad_kernels(dtype)]), dtype)
    found = jax.jit(jax.vmap(conditioning))(kernels)
    assert [FLAGS[f] for f in found.flag] == [wanted for _, wanted in bad_kernels(dtype)]
    one_by_one = [conditioning(kernel).value for kernel in kernels]
    np.testing.assert_allclose(found.value, one_by_one, rtol=0.2)
    np.testing.assert_allclose(found.value[-1], N, rtol=1e-5)


@pytest.mark.parametrize(("name", "limit"), [("float32", 1.2e5), ("float64", 6e13)])
def test_the_guard_is_where_it_is_said_to_be(name, limit):
    """At N = 72, as documented: κ up to the limit is given, beyond it is `singular`."""
    with jax.enable_x64(name == "float64"):
        for factor, wanted in ((0.9, "ok"), (1.1, "singular")):
            values = np.append(np.ones(71), 1 / (factor * limit))
            result = conditioning(jnp.diag(jnp.asarray(values, name)))
            assert flag(result) == wanted
            if wanted == "ok":
                np.testing.assert_allclose(result.value, factor * limit, rtol=0.1)


def test_gradient_in_the_kernel(x64):
    """dκ = (v vᵀ − κ u uᵀ) / λ_min for the eigenvectors v of λ_max and u of λ_min."""
    kernel = jnp.diag(jnp.array([1.0, 2.0, 4.0]))
    gradient = jax.grad(lambda k: conditioning(k).value)(kernel)
    np.testing.assert_allclose(gradient, np.diag([-4.0, 0, 1]), atol=1e-12)
