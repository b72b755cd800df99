"""Several kernels of one network from one Jacobian a batch."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from tenas_jax.ntk import jacobian
from tenas_jax.ntk.empirical import WEIGHTS, ntk, resolve_engine, summed_logits, taking_part


class SharedNtk:
    """A function like `tenas_jax.ntk.ntk` that does not compute a Jacobian twice.

    It is for one network and one tree of parameters, and lives while they are run or traced. With
    the engine `jacobian` the Jacobian of all weights at a batch is kept; the kernel of some weights
    is a product of its columns. The other engine gives no Jacobian, and computes each kernel by
    itself.
    """

    def __init__(self, engine: str = "auto", chunk: int | None = None):
        """Nothing is computed yet; the arguments are those of `ntk`."""
        self._engine, self._chunk = resolve_engine(engine), chunk
        self._known: dict[tuple, tuple[jax.Array, jax.Array]] = {}  # -> images, rows

    def __call__(
        self,
        network: Callable[[Any, jax.Array], jax.Array],
        params: Any,
        images: jax.Array,
        images2: jax.Array | None = None,
        *,
        weights: Sequence[str] = WEIGHTS,
        within: str | None = None,
    ) -> jax.Array:
        """The kernel [N, M]; arguments and errors are those of `ntk`."""
        if self._engine != "jacobian":
            options = {"engine": self._engine, "weights": weights, "within": within}
            return ntk(network, params, images, images2, chunk=self._chunk, **options)
        some = {"weights": weights, "within": within}
        with jax.default_matmul_precision("float32"):
            j1 = self.rows(network, params, images, **some)
            j2 = j1 if images2 is None else self.rows(network, params, images2, **some)
            return j1 @ j2.T

    def rows(
        self,
        network: Callable[[Any, jax.Array], jax.Array],
        params: Any,
        images: jax.Array,
        *,
        weights: Sequence[str] = WEIGHTS,
        within: str | None = None,
    ) -> jax.Array:
        """The Jacobian [N, P] of the parameters that take part, in the order of a tree's leaves.

        It is that of our own engine, whichever computes the kernels.
        """
        key = (id(images), tuple(weights))
        if key not in self._known:
            f, whole = summed_logits(network, params), taking_part(params, weights)
            with jax.default_matmul_precision("float32"):
                coupled = getattr(network, "coupled", True)
                found = jacobian.rows(f, whole, images, chunk=self._chunk, coupled=coupled)
            # The images are kept with it, so that no other array can take their identity.
            self._known[key] = (images, found)
        return self._known[key][1][:, _columns(params, weights, within)]


def _columns(params: Any, weights: Sequence[str], within: str | None) -> np.ndarray | slice:
    """The columns of a Jacobian of all weights that belong to some of them."""
    if within is None:
        return slice(None)
    chosen = taking_part(params, weights, within)
    # In the order of a tree's leaves, as `jacobian.rows` lays them.
    flags = {p: np.full(a.size, p in chosen) for p, a in taking_part(params, weights).items()}
    return np.flatnonzero(np.concatenate(jax.tree.leaves(flags)))
