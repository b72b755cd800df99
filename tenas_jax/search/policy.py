"""A factorised categorical policy over the architectures of a cell space.

There is a logit for each cell, edge and operation. An operation is drawn on each edge by the
softmax of its logits. A space that keeps some edges of each node (`Space.inputs_per_node`) has
operations drawn on all edges, `none` left out, and then so many edges into each node without
replacement, by the softmax of the logits of the operations that were drawn on them.

The gradient is that of Σ log p(operation) over the chosen edges; the choice of edges is left out of
it, as in TEG-NAS's program (Chen et al., 2021, arXiv:2108.11939).
"""

import itertools

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.spaces import Space

COLLAPSED = 1e-3  # nats: mean entropy of an edge below which nothing new is drawn


def initial_logits(space: Space, rng: np.random.Generator) -> np.ndarray:
    """Draws logits float32 [cells, edges, operations], 1e-3 times standard normal numbers."""
    return (1e-3 * rng.standard_normal(space.mask_shape)).astype(np.float32)


def probabilities(space: Space, logits: np.ndarray) -> np.ndarray:
    """Returns p of each operation on each edge, float64 [cells, edges, operations].

    Raises:
        UserError: a logit is not finite.
    """
    if not np.isfinite(logits).all():
        raise UserError("the policy's logits are not finite: take a smaller learning rate")
    logits = _drawable(space, np.asarray(logits, np.float64))
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def sample(space: Space, logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws an architecture int8 [cells, edges]; `rng` advances."""
    cumulated = probabilities(space, logits).cumsum(-1)
    draws = rng.random(cumulated.shape[:2])[..., None] * cumulated[..., -1:]
    arch = (draws >= cumulated).sum(-1).astype(np.int8)
    return _choose_edges(space, logits, arch, rng) if space.inputs_per_node else arch


def gradient(space: Space, logits: np.ndarray, arch: np.ndarray) -> np.ndarray:
    """Returns ∂ Σ log p(operation) / ∂ logits: one-hot less p, zero on edges not chosen."""
    hot = np.eye(logits.shape[-1])[arch]
    rows = hot - probabilities(space, logits)
    if space.inputs_per_node:
        rows = rows * (arch != 0)[..., None]
    return rows


def entropy(space: Space, logits: np.ndarray) -> float:
    """Returns the mean entropy of an edge's operations, in nats."""
    p = probabilities(space, logits)
    return float(-(p * np.log(np.where(p > 0, p, 1))).sum(-1).mean())


def _drawable(space: Space, logits: np.ndarray) -> np.ndarray:
    """Gives the logits, with what an edge may not have out of reach."""
    return np.where(space.options, logits, -np.inf)


def _choose_edges(
    space: Space, logits: np.ndarray, arch: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Puts `none` on the edges of an architecture that are not chosen."""
    none = space.operations.index("none")
    chosen = np.full_like(arch, none)
    nodes = sorted({node for node, _ in space.edges})
    for cell, node in itertools.product(range(space.cells), nodes):
        into = [i for i, (target, _) in enumerate(space.edges) if target == node]
        own = np.array([logits[cell, edge, arch[cell, edge]] for edge in into], np.float64)
        weights = np.exp(own - own.max())
        kept = into
        if len(into) > space.inputs_per_node:
            shares = weights / weights.sum()
            # A share that rounds to zero could not be drawn, though two must be.
            shares = np.maximum(shares, 1e-12) / np.maximum(shares, 1e-12).sum()
            kept = rng.choice(into, space.inputs_per_node, replace=False, p=shares)
        chosen[cell, kept] = arch[cell, kept]
    return chosen
