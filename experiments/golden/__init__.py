"""Golden cases: weights and inputs that anyone can rebuild from a recipe, and what they must give.

The values were computed in float64 with the programs released with TE-NAS (commit 9df78ff), TEG-NAS
(dfa4177) and As-ViT (e326cca), those of snip with zero-cost-nas (a43bfbc). A parameter's value
depends on its name alone: standard normal numbers from a generator seeded by the CRC-32 of the
name, then scaled by what kind of parameter it is.
"""

import functools
import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.golden.as_vit import check_as_vit
from experiments.golden.rows import Row, images, named_parameters, scalar, spectrum_rows, worst
from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.metrics import Batch, Probe, kernel_regression, linear_regions, snip
from tenas_jax.networks import Network, NetworkSpec, Params, scored_network
from tenas_jax.networks.darts.edges import BY_SOURCE, FROM_INPUTS
from tenas_jax.ntk import ntk
from tenas_jax.tracing.kinks import kink_margins

TOLERANCES = {"float64": 1e-6, "float32": 1e-3}


def parameter(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draws a parameter's golden value, float64 [shape], from its name."""
    z = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    kind = key.rsplit("/", 1)[-1]
    if kind == "kernel":
        fan_out = shape[-1] * math.prod(shape[:-2])
        return z * math.sqrt(2 / fan_out)
    return 1 + 0.1 * z if kind == "scale" else 0.1 * z


def golden_keys(path: str) -> list[str]:
    """Names one of our parameters as the golden files do: lists are folders there.

    DARTS's edges are stacked here, so that one of our parameters has several names.
    """
    path = path.replace("cells_", "cells/").replace("edges_", "edges/")
    for stack, edges in (("edges", BY_SOURCE), ("input_edges", BY_SOURCE[:FROM_INPUTS])):
        cell, separator, rest = path.partition(f"/{stack}/")
        if separator and "<-" not in rest:
            rest = f"skip_connect/{rest}" if stack == "input_edges" else rest
            return [f"{cell}/edges/{node}<-{source}/{rest}" for node, source in edges]
    return [path]


def parameters(network: Network, images: jax.Array) -> Params:
    """Makes the golden parameters of a network, in the dtype of the images."""

    def value(path: str, shape: tuple[int, ...]) -> np.ndarray:
        keys = golden_keys(path)
        if len(keys) == 1:
            return parameter(keys[0], shape)
        return np.stack([parameter(key, shape[1:]) for key in keys])

    return named_parameters(network, images, value)


def network(case: dict, name: str, form: str) -> Network:
    """Builds the scoring network of a case, with the case's mask."""
    module = scored_network(spaces.get(case["space"]), NetworkSpec(name)).network.module
    return Network(module.clone(form=form), jnp.asarray(case["mask"], jnp.float32))


def check_ntk(case: dict, dtype: str, engine: str, form: str = "auto") -> Iterator[Row]:
    """Recomputes one case of `ntk.json`: logits, kernel row, extreme eigenvalues, κ.

    The errors of a vector are relative to its largest entry, and the worst entry is shown. In
    float32 the kernel's entries for images at a kink are a row of their own, see `kinks`.
    """
    x = images(case["input"]["seed"], case["input"]["shape"], dtype)
    net = network(case, "scored", form)
    params = parameters(net, x)
    name = f"ntk: {case['name']}, N = {len(x)}"
    yield worst(
        name, "logits of the first image", _forward(net, params, x)[0], case["logits_first"]
    )
    kernel = np.asarray(_ntk(net, params, x, engine=engine))
    # Its first row, with the images at a kink apart.
    near = kinks(case, form) if dtype == "float32" else np.array([], int)
    rest = np.setdiff1d(np.arange(len(x)), near)
    row = case["ntk_row0"]
    yield worst(name, "kernel's first row", kernel[0], row, rest)
    if len(near):
        yield replace(
            worst(name, f"the same, {len(near)} images at a kink", kernel[0], row, near),
            at_kink=True,
        )
    yield from spectrum_rows(name, kernel, case)


def kinks(case: dict, form: str = "auto") -> np.ndarray:
    """Finds the images of a case that have a ReLU within float32's rounding of its kink.

    At a kink the derivative jumps, so that the rounding of the forward pass decides the kernel's
    entries for that image: an error there of up to 2e-3 was seen, on either side of which float32
    is right. They are looked for in float64, as images with |input| < 1e-6 to some ReLU (inputs are
    of order one), so they do not depend on how a program rounds.
    """
    with jax.enable_x64(True):
        x = images(case["input"]["seed"], case["input"]["shape"], "float64")
        net = network(case, "scored", form)
        params = parameters(net, x)
        margins = _margins(net, params, x)
        # A ReLU that is switched off is given exact zeros, in any precision.
        near = (jnp.abs(margins) < 1e-6) & (margins != 0)
        return np.flatnonzero(np.asarray(near.any(axis=1)))


def check_linear_regions(case: dict, dtype: str, engine: str, form: str = "auto") -> Iterator[Row]:
    """Recomputes one case of `linear_regions.json`; the engine plays no part in it."""
    del engine
    shape = case["input"]["shape"]
    x = jnp.concatenate([images(seed, shape, dtype) for seed in case["input"]["seeds"]])
    net = network(case, "patch", form)
    params = parameters(net, x[:1])
    regions = _regions(net, params, Batch(x), jax.random.key(0), pass_size=shape[0])
    yield scalar(f"linear regions: {case['name']}", "regions", regions, case["regions"])


def check_kernel_regression(
    case: dict, dtype: str, engine: str, form: str = "auto"
) -> Iterator[Row]:
    """Recomputes one case of `kernel_regression.json`: the error on the validation batch."""
    shape, batches = case["images"]["shape"], []
    for part in ("train", "validation"):
        x = images(case["images"][f"{part}_seed"], shape, dtype)
        labels = np.random.default_rng(case["labels"][f"{part}_seed"]).integers(0, 10, shape[0])
        batches.append(Batch(x, jnp.asarray(labels, jnp.int32)))
    batch = batches[0].replace(held_out=batches[1])
    net = network(case, "scored", form)
    error, _ = _regression(net, parameters(net, batch.inputs), batch, engine=engine)
    name = f"kernel regression: {case['name']}, N = {shape[0]}"
    yield scalar(name, "error", error, case["mse"])


def check_snip(case: dict, dtype: str, engine: str, form: str = "auto") -> Iterator[Row]:
    """Recomputes one case of `snip.json`: logits and the score; the engine plays no part in it."""
    del engine
    x = images(case["input"]["seed"], case["input"]["shape"], dtype)
    labels = np.random.default_rng(case["labels"]["seed"])
    labels = jnp.asarray(labels.integers(0, case["labels"]["classes"], len(x)), jnp.int32)
    size = {"channels": case["channels"], "depth": case["cells_per_stage"]}
    module = scored_network(spaces.get("nas_bench_201")).network.module.clone(**size, form=form)
    net = Network(module, jnp.asarray(case["mask"], jnp.float32))
    params, name = parameters(net, x), f"snip: {case['name']}"
    logits, score = _snip(net, params, Batch(x, labels))
    yield worst(name, "logits of the first image", logits[0], case["logits_first"])
    yield scalar(name, "snip", score, case["snip"])


# Compiled once for all cases of a shape: networks that differ in their mask share a program.
_forward = jax.jit(lambda net, params, x: net(params, x))
_margins = jax.jit(lambda net, params, x: kink_margins(lambda x: net(params, x), x))
_ntk = jax.jit(ntk, static_argnames="engine")


@functools.partial(jax.jit, static_argnames="pass_size")
def _regions(net, params, batch, key, *, pass_size):
    return linear_regions(Probe(net, params, batch, key), pass_size=pass_size)


@functools.partial(jax.jit, static_argnames="engine")
def _regression(net, params, batch, *, engine):
    """Computes the error on the held-out batch, and its flag."""
    return kernel_regression(Probe(net, params, batch, engine=engine))


@jax.jit
def _snip(net, params, batch):
    """Computes logits and the score."""
    probe = Probe(net, params, batch)
    return probe.outputs, snip(probe)


# file of golden cases -> how one of its cases is recomputed
CHECKS = {
    "ntk": check_ntk,
    "linear_regions": check_linear_regions,
    "kernel_regression": check_kernel_regression,
    "asvit": check_as_vit,
    "snip": check_snip,
}


SPACE_OF = {"asvit": "as_vit"}  # of cases that do not name theirs


def read(folder: str) -> tuple[list[tuple[str, dict]], list[str]]:
    """Reads the cases of a folder: (kind, case) of those to recompute, and names of the rest.

    Raises:
        UserError: the folder does not exist, holds no cases, or a file in it is not JSON.
    """
    files = sorted(Path(folder).glob("*.json"))
    cases, skipped = [], []
    for file in files:
        if file.stem == "parameters":  # shapes only: our networks know their own
            continue
        try:
            entries = json.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise UserError(f"cannot read {file}: {error}") from error
        for case in entries:
            space = case.get("space", SPACE_OF.get(file.stem, file.stem))
            if file.stem in CHECKS and space in spaces.SPACES:
                cases.append((file.stem, case))
            else:
                skipped.append(f"{file.stem}: {space}, {case.get('name', case.get('arch'))}")
    if not cases and not skipped:
        raise UserError(f"{folder!r} holds no golden cases (files such as ntk.json)")
    return cases, skipped
