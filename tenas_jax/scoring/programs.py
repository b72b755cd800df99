"""Programs that compute metrics of a block of candidates, spread over the devices of a mesh."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from tenas_jax.data.dataset import Batch
from tenas_jax.metrics import Probe, measure, metric
from tenas_jax.networks import Params
from tenas_jax.scoring.draws import Sight
from tenas_jax.scoring.presets import Protocol


class Program(NamedTuple):
    """Names what is compiled together: metrics that see the same, and share one probe.

    Attributes:
        sight: the network and the batch that they see.
        metrics: their names.
        gradients: whether the metrics that have a derivative in the mask give it, too.
    """

    sight: Sight
    metrics: tuple[str, ...]
    gradients: bool


class Measured(NamedTuple):
    """Holds what a program says of a metric: arrays, or what becomes arrays.

    Attributes:
        value: [...], NaN if it is bad.
        flag: [...], numbers into `tenas_jax.ntk.FLAGS`.
        gradient: [..., cells, edges, operations], or None where there is none.
    """

    value: Any
    flag: Any
    gradient: Any


def compiled(
    program: Program, protocol: Protocol, mesh: Mesh, args: tuple
) -> Callable[..., dict[str, Measured]]:
    """Compiles a program.

    Args:
        program: what it computes.
        protocol: of the metrics.
        mesh: with one axis, `candidates`.
        args: encodings [block, ...], split over the mesh, zeros where there is none to take
            gradients of; and on every device parameters, a `Batch` and the data of a key.

    Returns:
        A function of such arguments that gives metric -> `Measured`, first axes [block].
    """
    scored = functools.partial(measured, program, protocol)

    def one(*given):
        """Measures one candidate, or gives zeros where there is none to take gradients of."""
        if not program.gradients:
            return scored(*given)
        # A search asks for the gradients of one mask: the other devices have nothing to do.
        idle = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(scored, *given))
        return lax.cond((given[0] > 0).any(), scored, lambda *_: idle, *given)

    def block(encodings, *shared):
        """Measures a device's candidates."""
        if len(jax.tree.leaves(encodings)[0]) > 1:
            results = jax.vmap(one, in_axes=(0, None, None, None))(encodings, *shared)
        else:
            single = one(jax.tree.map(lambda e: e[0], encodings), *shared)
            results = jax.tree.map(lambda v: v[None], single)
        return lax.all_gather(results, "candidates", tiled=True) if gather else results

    split, whole = PartitionSpec("candidates"), PartitionSpec()
    # Every process records or shows every score, so it needs those of other hosts' devices.
    gather = any(d.process_index != jax.process_index() for d in mesh.devices.flat)
    spread = jax.shard_map(
        block,
        mesh=mesh,
        in_specs=(split, whole, whole, whole),
        out_specs=whole if gather else split,
        check_vma=False,
    )
    return jax.jit(spread).lower(*args).compile()


def measured(
    program: Program,
    protocol: Protocol,
    encoding: Any,
    params: Params,
    batch: Batch,
    key_data: jax.Array,
) -> dict[str, Measured]:
    """Measures one candidate by all metrics of a program, through one probe.

    Args:
        program, protocol: see `compiled`.
        encoding: of the candidate.
        params: as they were drawn for all candidates.
        batch: what it sees.
        key_data: of the key that metrics draw with.
    """
    built = program.sight.built
    params = built.initial(params, encoding, jax.tree.leaves(batch.inputs)[0].shape[-1])
    used = built.used(params, encoding)
    key = jax.random.wrap_key_data(key_data)
    how = {"engine": protocol.engine, "chunk": protocol.chunk}
    probe, results = Probe(built.of(encoding), params, batch, key, used=used, **how), {}
    for name in program.metrics:
        m, options, gradient = metric(name), protocol.options_of(name), None
        value, flag = measure(m, probe, **options)
        if program.gradients and m.mask_gradient is not None:
            gradient = m.mask_gradient(probe, **options)
        results[name] = Measured(value, flag, gradient)
    return results
