"""Golden cases of As-ViT: kernels with norms, lengths of curves without, of the same weights."""

import functools
import math
import zlib
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from experiments.golden.rows import Row, images, named_parameters, scalar, spectrum_rows, worst
from tenas_jax import spaces
from tenas_jax.metrics import Batch, Probe, extrinsic_curvature, gauss_length, length_distortion
from tenas_jax.networks import Network
from tenas_jax.networks.as_vit.network import AsVit
from tenas_jax.ntk import ntk
from tenas_jax.spaces.as_vit.sizes import Sizes

FEATURES = (("output", "features"),)
LENGTHS = {
    "length_distortion": length_distortion,
    "gauss_length": gauss_length,
    "extrinsic_curvature": extrinsic_curvature,
}


def parameter(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draws a parameter's golden value, float64 [shape], from its name."""
    key = key.replace("layers_", "layers/").replace("blocks_", "blocks/")  # lists are folders
    z = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    kind = key.rsplit("/", 1)[-1]
    if kind == "kernel":
        return z / math.sqrt(math.prod(shape[:-1]))
    return 1 + 0.1 * z if kind == "scale" else 0.1 * z


def network(case: dict) -> Network:
    """Builds the network of a case."""
    space = spaces.get("as_vit")
    topology = space.topology(space.parse(case["arch"]))
    return Network(AsVit(topology, Sizes(tuple(case["depths"]), case["hidden"])))


def plane(seed: int, shape: list[int]) -> np.ndarray:
    """Draws the plane of a golden curve: orthonormal columns [H · W · C, 2]."""
    normal = np.random.default_rng(seed).standard_normal((math.prod(shape), 2))
    return np.linalg.svd(normal, full_matrices=False)[0]


def check_as_vit(case: dict, dtype: str, engine: str, form: str = "auto") -> Iterator[Row]:
    """Recomputes one case of `asvit.json`: parameters, logits, kernel and lengths.

    The kernel is that of the summed features; `form` plays no part.
    """
    del form
    shape, seed = case["input"]["shape"], case["input"]["seed"]
    x, net = images(seed, shape, dtype), network(case)
    params, name = named_parameters(net, x, parameter), f"As-ViT: {case['arch']}"
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    yield scalar(name, "parameters", count, case["parameter_count"])
    yield worst(
        name, "logits of the first image", _forward(net, params, x)[0], case["logits_first"]
    )
    kernel = _ntk(net.replace(options=FEATURES), params, x, engine=engine)
    yield from spectrum_rows(name, np.asarray(kernel), case)
    basis = jnp.asarray(plane(case["curve"]["seed"], shape[1:]), dtype)
    bare = net.replace(options=(*FEATURES, ("norms", False)))
    lengths = _lengths(bare, params, Batch(x), basis, points=case["curve"]["points"])
    for quantity, value in lengths.items():
        yield scalar(name, quantity.replace("_", " "), value, case[quantity])


# Compiled once for an architecture and a dtype.
_forward = jax.jit(lambda net, params, x: net(params, x))
_ntk = jax.jit(ntk, static_argnames="engine")


@functools.partial(jax.jit, static_argnames="points")
def _lengths(net, params, batch, basis, *, points):
    """Computes all three lengths of a curve."""
    options = {"curve_points": points, "basis": basis}
    probe = Probe(net, params, batch)
    return {name: fn(probe, **options) for name, fn in LENGTHS.items()}
