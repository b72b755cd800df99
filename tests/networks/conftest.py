"""What tests of several spaces' networks share: shapes, and layers in NumPy to compare with."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util


def pad(x, width, value=0.0):
    return np.pad(x, ((0, 0), (width, width), (width, width), (0, 0)), constant_values=value)


def windows(x, size, stride=1, dilation=1, padding=0, value=0.0):
    """For each tap (i, j) of a window the pixels it meets, [N, H', W', C]."""
    x = pad(x, padding, value)
    reach = dilation * (size - 1)
    height, width = x.shape[1] - reach, x.shape[2] - reach
    for i in range(size):
        for j in range(size):
            top, left = i * dilation, j * dilation
            yield i, j, x[:, top : top + height : stride, left : left + width : stride]


class Layers:
    """Applies the layers whose variables lie in a tree, and collects the new statistics.

    With `train` norms use the batch's statistics, else the running ones.
    """

    def __init__(self, variables, train):
        self.params = jax.tree.map(np.asarray, variables["params"])
        self.stats = jax.tree.map(np.asarray, variables["batch_stats"])
        self.train = train
        self.updated = {}

    def conv(self, x, *path, stride=1, dilation=1, padding=None):
        kernel = self._at(self.params, path)["kernel"]
        size, depthwise = len(kernel), kernel.shape[2] == 1 and x.shape[-1] > 1
        padding = dilation * (size // 2) if padding is None else padding
        total = 0.0
        for i, j, pixels in windows(x, size, stride, dilation, padding):
            total = total + (pixels * kernel[i, j, 0] if depthwise else pixels @ kernel[i, j])
        return total

    def norm(self, x, *path):
        params, stats = self._at(self.params, path), self._at(self.stats, path)
        mean, var = stats["mean"], stats["var"]
        if self.train:
            batch_mean, batch_var = x.mean((0, 1, 2)), x.var((0, 1, 2))
            self.updated[path] = (0.9 * mean + 0.1 * batch_mean, 0.9 * var + 0.1 * batch_var)
            mean, var = batch_mean, batch_var
        return (x - mean) / np.sqrt(var + 1e-5) * params["scale"] + params["bias"]

    def conv_norm(self, x, *path, stride=1, relu=True):
        x = np.maximum(x, 0) if relu else x
        return self.norm(self.conv(x, *path, "conv", stride=stride), *path, "norm")

    def classifier(self, x, *path):
        dense = self._at(self.params, path)["dense"]
        return x.mean((1, 2)) @ dense["kernel"] + dense["bias"]

    @staticmethod
    def max_pool(x, stride=1):
        taps = [pixels for _, _, pixels in windows(x, 3, stride, padding=1, value=-np.inf)]
        return np.max(taps, axis=0)

    @staticmethod
    def average_pool(x, size=3, stride=1, padding=1):
        """Sums over the number of pixels that are no padding."""
        total = sum(pixels for _, _, pixels in windows(x, size, stride, padding=padding))
        ones = np.ones_like(x)
        return total / sum(pixels for _, _, pixels in windows(ones, size, stride, padding=padding))

    def check_updates(self, stats):
        """Every norm of a training step was applied once, and its new statistics are `stats`."""
        assert len(self.updated) == len(jax.tree.leaves(stats)) / 2
        for path, (mean, var) in self.updated.items():
            updated = self._at(stats, path)
            np.testing.assert_allclose(updated["mean"], mean, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(updated["var"], var, rtol=1e-4, atol=1e-5)

    @staticmethod
    def _at(tree, path):
        for name in path:
            tree = tree[name]
        return tree


def random_variables(module, images):
    """Variables in which no scale is 1, no bias or mean 0, and no variance 1."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), images, train=True))
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        name = path[-1].key
        if name in ("scale", "var"):
            return rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
        width = np.sqrt(np.prod(leaf.shape[:-1])) if name == "kernel" else 5
        return (rng.normal(size=leaf.shape) / width).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def random_images(n, side, channels=3):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, side, side, channels)).astype(np.float32)


@pytest.fixture(scope="session")
def layers():
    """The class of NumPy layers."""
    return Layers


@pytest.fixture(scope="session")
def variables_of():
    """`(module, images) -> variables`, random ones."""
    return random_variables


@pytest.fixture(scope="session")
def images_of():
    """`(n, side) -> images`, float32 [n, side, side, 3]."""
    return random_images


@pytest.fixture(scope="session")
def shapes():
    """`(network, shape of images) -> {path: shape}` of every parameter."""

    def shapes(network, images):
        like = jax.ShapeDtypeStruct(images, jnp.float32)
        params = jax.eval_shape(lambda key: network.init(key, like), jax.random.key(0))
        return {k: v.shape for k, v in traverse_util.flatten_dict(params, sep="/").items()}

    return shapes
