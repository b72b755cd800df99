"""A module bound to what stays fixed: a tree, other collections, options, parameters."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.networks import Network

KEY = jax.random.key(0)
pytestmark = pytest.mark.usefixtures("quick_compilation")


class Masked(nn.Module):
    """A dense layer of images times a mask."""

    @nn.compact
    def __call__(self, images, mask):
        weight = mask.astype(images.dtype).sum()
        return nn.Dense(3)(images.reshape(len(images), -1)) * weight


class Normed(nn.Module):
    """A module with running statistics."""

    @nn.compact
    def __call__(self, images, train):
        return nn.BatchNorm(use_running_average=not train, momentum=0.5)(images)


def images(n=4, shift=0.0):
    return jnp.asarray(np.random.default_rng(0).normal(size=(n, 2, 2, 1)) + shift, jnp.float32)


def test_the_mask_is_a_run_time_argument():
    traces = []

    @jax.jit
    def run(network, params, x):
        traces.append(network)
        return network(params, x)

    x = images()
    params = Network(Masked(), jnp.ones((1, 2, 2))).init(KEY, x)
    one = Masked().apply({"params": params}, x, jnp.ones((1, 1, 1)))
    for total in (1.0, 2.0, 4.0):
        network = Network(Masked(), jnp.full((1, 2, 2), total / 4))
        np.testing.assert_allclose(run(network, params, x), total * one, rtol=1e-6)
    assert len(traces) == 1


def test_leaves_are_the_mask_and_the_state():
    mask, state = jnp.ones((1, 2, 2)), {"batch_stats": {"mean": jnp.zeros(3)}}
    network = Network(Masked(), mask, state=state, options=(("train", True),))
    leaves, tree = jax.tree.flatten(network)
    assert [leaf.shape for leaf in leaves] == [(1, 2, 2), (3,)]
    again = jax.tree.unflatten(tree, leaves)
    assert again.module == network.module and again.options == network.options
    assert jax.tree.leaves(Network(Masked())) == []


def test_vmap_over_masks():
    x, masks = images(), jnp.arange(8.0).reshape(2, 1, 2, 2)
    params = Network(Masked(), masks[0]).init(KEY, x)
    batched = jax.vmap(lambda mask: Network(Masked(), mask)(params, x))(masks)
    for out, mask in zip(batched, masks, strict=True):
        np.testing.assert_allclose(out, Network(Masked(), mask)(params, x), rtol=1e-6)


@pytest.mark.parametrize("train", [True, False])
def test_state_is_held_and_options_are_passed(train):
    x = images(shift=3.0)
    # running statistics under which the batch is far from normalised
    state = {"batch_stats": {"BatchNorm_0": {"mean": jnp.full(1, 1.0), "var": jnp.full(1, 4.0)}}}
    network = Network(Normed(), state=state, options=(("train", train),))
    params = network.init(KEY, x)
    assert set(params) == {"BatchNorm_0"}
    mean, variance = (x.mean(), x.var()) if train else (1.0, 4.0)
    run = jax.jit(lambda network, params, x: network(params, x))
    for _ in range(2):  # the second call still sees the first statistics
        got = run(network, params, x)
        np.testing.assert_allclose(got, (x - mean) / jnp.sqrt(variance + 1e-5), rtol=1e-4)
    np.testing.assert_array_equal(network.state["batch_stats"]["BatchNorm_0"]["var"], [4.0])


def test_init_gives_the_parameters_of_the_module():
    x = images()
    network = Network(Masked(), jnp.ones((1, 2, 2)))
    wanted = Masked().init(KEY, x, jnp.ones((1, 2, 2)))["params"]
    jax.tree.map(np.testing.assert_array_equal, network.init(KEY, x), wanted)
    other = network.init(jax.random.key(1), x)
    assert (other["Dense_0"]["kernel"] != wanted["Dense_0"]["kernel"]).all()


def test_init_does_not_run_the_network():
    """On images that no memory holds."""
    huge = jax.ShapeDtypeStruct((10**9, 20, 20, 3), jnp.float32)
    params = Network(Masked(), jnp.ones((1, 2, 2))).init(KEY, huge)
    assert params["Dense_0"]["kernel"].shape == (1200, 3)


def test_init_under_vmap_is_a_loop_over_keys():
    x, keys = images(), jax.random.split(KEY, 3)
    network = Network(Masked(), jnp.ones((1, 2, 2)))
    batched = jax.vmap(lambda key: network.init(key, x))(keys)["Dense_0"]["kernel"]
    for kernel, key in zip(batched, keys, strict=True):
        np.testing.assert_allclose(kernel, network.init(key, x)["Dense_0"]["kernel"], rtol=1e-6)
