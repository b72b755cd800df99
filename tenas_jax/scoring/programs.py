"""Programs that compute metrics of a block of masks, spread over the devices of a mesh."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from tenas_jax.metrics import metric
from tenas_jax.networks import Network, Scoring
from tenas_jax.ntk import NOT_FINITE, OK, SharedNtk
from tenas_jax.scoring.presets import Protocol


class Program(NamedTuple):
    """What is compiled together: metrics of one scoring network, which share its Jacobian.

    Attributes:
        variant: the scoring network.
        metrics: their names.
        gradients: whether the metrics that have a derivative in the mask give it, too.
    """

    variant: str
    metrics: tuple[str, ...]
    gradients: bool


class Found(NamedTuple):
    """What a program says of a metric: arrays, or what becomes arrays.

    Attributes:
        value: [...], NaN if it is bad.
        flag: [...], numbers into `tenas_jax.ntk.FLAGS`.
        gradient: [..., cells, edges, operations], or None where there is none.
    """

    value: Any
    flag: Any
    gradient: Any


def compiled(program: Program, scoring: Scoring, protocol: Protocol, mesh: Mesh, args: tuple):
    """A program, compiled.

    Args:
        program: what it computes.
        scoring: the scoring network.
        protocol: of the metrics.
        mesh: with one axis, `candidates`.
        args: masks [block, cells, edges, operations], split over the mesh, zeros where there is
            none to take gradients of; and on every device parameters, a `Batch` and the data of a
            key.

    Returns:
        A function of such arguments that gives metric -> `Found`, first axes [block].
    """

    def scored(mask, params, batch, key_data):
        key = jax.random.wrap_key_data(key_data)
        params = scoring.initial(params, mask, batch.images.shape[-1])
        return found(program, scoring.network(mask), params, batch, key, protocol)

    def one(*given):
        """The metrics of one mask, or zeros where there is none to take gradients of."""
        if not program.gradients:
            return scored(*given)
        # A search asks for the gradients of one mask: the other devices have nothing to do.
        idle = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(scored, *given))
        return lax.cond((given[0] > 0).any(), scored, lambda *_: idle, *given)

    def block(masks, *shared):
        """The metrics of a device's masks."""
        if len(masks) > 1:
            results = jax.vmap(one, in_axes=(0, None, None, None))(masks, *shared)
        else:
            results = jax.tree.map(lambda v: v[None], one(masks[0], *shared))
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


def found(
    program: Program, network: Network, params, batch, key: jax.Array, protocol: Protocol
) -> dict[str, Found]:
    """The metrics of one network, from one Jacobian a batch."""
    shared = SharedNtk(protocol.engine, protocol.chunk)
    results = {}
    for name in program.metrics:
        m = metric(name)
        options = {field: getattr(protocol, field) for field in m.options}
        options |= {"ntk": shared} if m.kernel else {}
        out = m.fn(network, params, batch, key, **options)
        if not isinstance(out, tuple):
            finite = jnp.isfinite(out)
            out = jnp.where(finite, out, jnp.nan), jnp.where(finite, OK, NOT_FINITE)
        gradient = None
        if program.gradients and m.gradient is not None:
            gradient = m.gradient(network, params, batch, key, **options)
        results[name] = Found(*out, gradient)
    return results
