"""What tests of several spaces' networks share."""

import jax
import jax.numpy as jnp
import pytest
from flax import traverse_util


@pytest.fixture(scope="session")
def shapes():
    """`(network, shape of images) -> {path: shape}` of every parameter."""

    def shapes(network, images):
        like = jax.ShapeDtypeStruct(images, jnp.float32)
        params = jax.eval_shape(lambda key: network.init(key, like), jax.random.key(0))
        return {k: v.shape for k, v in traverse_util.flatten_dict(params, sep="/").items()}

    return shapes
