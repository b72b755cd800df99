"""What a metric looks through: one network, its parameters, a batch and a key."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax.data.dataset import Batch, cross_entropy
from tenas_jax.errors import UserError
from tenas_jax.networks.model import Model, Params
from tenas_jax.ntk import jacobian
from tenas_jax.ntk.empirical import (
    WEIGHTS,
    columns_of,
    ntk,
    resolve_engine,
    summed_outputs,
    taking_part,
)


class Probe:
    """Computes what metrics ask of a network, and remembers it while a program is traced.

    Metrics that are computed together share a probe, and through it forward passes, gradients and
    Jacobians. It lives as long as its values are run or traced, and is for one network alone.

    Attributes:
        model: `(params, inputs) -> outputs`.
        params: its parameters, a tree of arrays.
        batch: inputs, and perhaps targets, weights and a held-out batch.
        key: for what is drawn at random; None where nothing is.
        used: for each parameter 1 or 0, whether the architecture has it; None where all count.
        engine: of kernels, see `tenas_jax.ntk.ntk`.
        chunk: cotangents in memory at a time.
    """

    def __init__(
        self,
        model: Model,
        params: Params,
        batch: Batch,
        key: jax.Array | None = None,
        *,
        used: Params | None = None,
        engine: str = "auto",
        chunk: int | None = None,
    ):
        """Takes what is looked at; nothing is computed yet."""
        self.model, self.params, self.batch, self.key, self.used = model, params, batch, key, used
        self.engine, self.chunk = resolve_engine(engine), chunk
        # What was given is kept beside what came of it, so that no other array takes its identity.
        self._rows: dict[tuple, tuple[Any, jax.Array]] = {}  # -> inputs, rows
        self._kernels: dict[tuple, tuple[Any, jax.Array]] = {}  # -> both inputs, kernel

    @functools.cached_property
    def outputs(self) -> jax.Array:
        """Computes the outputs of the batch, [N, ...]."""
        return self.model(self.params, self.batch.inputs)

    @functools.cached_property
    def output_shape(self) -> tuple[int, ...]:
        """Tells the outputs' shape; the network is not run."""
        return jax.eval_shape(self.model, self.params, self.batch.inputs).shape

    def losses(self, params: Params, batch: Batch | None = None) -> jax.Array:
        """Computes the cross-entropy of each example, [N].

        Args:
            params: of the network.
            batch: with targets; the probe's by default.

        Raises:
            UserError: the batch has no targets, or the outputs are no logits of them.
        """
        batch = self.batch if batch is None else batch
        if batch.targets is None:
            raise UserError("a loss needs targets: give the batch as (inputs, targets)")
        return cross_entropy(self.model(params, batch.inputs), batch.targets, batch.weights)

    def loss(self, params: Params) -> jax.Array:
        """Computes the mean loss of the batch, a scalar."""
        return self.losses(params).mean()

    @functools.cached_property
    def gradient(self) -> Params:
        """Computes ∂ mean loss / ∂params, a tree like the parameters."""
        return jax.grad(self.loss)(self.params)

    def gradients_of_parts(self, parts: int) -> Params:
        """Computes the gradient of each part's mean loss, the batch split in order.

        Each part is a batch of its own, with its own statistics. Leaves are [parts, ...].

        Raises:
            UserError: the batch does not divide into so many parts.
        """
        n = len(self.batch)
        if parts < 1 or n % parts:
            raise UserError(f"a batch of {n} does not divide into {parts} parts")
        split = jax.tree.map(lambda a: a.reshape(parts, n // parts, *a.shape[1:]), self._own_batch)
        return jax.lax.map(
            lambda part: jax.grad(lambda p: self.losses(p, part).mean())(self.params), split
        )

    @functools.cached_property
    def example_gradients(self) -> Params:
        """Computes the gradient of each example's loss in its batch, leaves [N, ...].

        Where batch statistics couple examples, an example's loss depends on all of the batch.
        """
        _, pullback = jax.vjp(self.losses, self.params)
        basis = jnp.eye(len(self.batch), dtype=jax.eval_shape(self.losses, self.params).dtype)
        return jax.lax.map(lambda cotangent: pullback(cotangent)[0], basis)

    @functools.cached_property
    def input_gradient(self) -> jax.Array:
        """Computes ∂ Σ outputs / ∂inputs, of the inputs' shape.

        Raises:
            UserError: the inputs are integers, such as tokens.
        """
        self._check_floats("a gradient in the inputs")
        return jax.grad(lambda x: self.model(self.params, x).sum())(self.batch.inputs)

    def hessian_product(self, tangent: Params) -> Params:
        """Computes H v, H the Hessian of the mean loss, v a tree like the parameters.

        Backward over backward, which networks without forward mode have too.
        """

        def along(params: Params) -> jax.Array:
            gradient = jax.grad(self.loss)(params)
            terms = jax.tree.map(lambda g, v: (g * v).sum(), gradient, tangent)
            return sum(jax.tree.leaves(terms))

        return jax.grad(along)(self.params)

    def kernel(
        self,
        inputs: Any = None,
        inputs2: Any = None,
        *,
        weights: Sequence[str] = WEIGHTS,
        within: str | None = None,
    ) -> jax.Array:
        """Computes the kernel [N, M] of the summed outputs; none is computed twice.

        With the engine `jacobian` the rows of all weights at a batch are kept, and a kernel is a
        product of their columns; the other engine gives no rows, and its kernels share nothing.

        Args:
            inputs: [N, ...], those of the batch by default.
            inputs2: [M, ...], evaluated apart; None is the first.
            weights: last names of the parameters that take part.
            within: what one of the names before must begin with.

        Raises:
            UserError: as of `tenas_jax.ntk.ntk`.
        """
        given = (self.batch.inputs if inputs is None else inputs), inputs2
        name = (*map(_identity, given), tuple(weights), within)
        if name not in self._kernels:
            kernel = self._kernel(*given, weights=weights, within=within)
            self._kernels[name] = given, kernel
        return self._kernels[name][1]

    def _kernel(self, inputs: Any, inputs2: Any, **some: Any) -> jax.Array:
        """Computes a kernel anew, or from rows that are there."""
        if self.engine != "jacobian":
            how = {"engine": self.engine, "chunk": self.chunk}
            return ntk(self.model, self.params, inputs, inputs2, **how, **some)
        with jax.default_matmul_precision("float32"):
            j1 = self.rows(inputs, **some)
            j2 = j1 if inputs2 is None else self.rows(inputs2, **some)
            return j1 @ j2.T

    def rows(
        self,
        inputs: Any = None,
        *,
        weights: Sequence[str] = WEIGHTS,
        within: str | None = None,
    ) -> jax.Array:
        """Computes the Jacobian [N, P] of the summed outputs, in the order of a tree's leaves.

        It is that of our own engine, whichever computes the kernels; arguments as of `kernel`.
        """
        inputs = self.batch.inputs if inputs is None else inputs
        name = _identity(inputs), tuple(weights)
        if name not in self._rows:
            f = summed_outputs(self.model, self.params)
            whole = taking_part(self.params, weights)
            coupled = getattr(self.model, "coupled", True)
            with jax.default_matmul_precision("float32"):
                rows = jacobian.rows(f, whole, inputs, chunk=self.chunk, coupled=coupled)
            self._rows[name] = inputs, rows
        columns = columns_of(self.params, weights, within)
        rows = self._rows[name][1]
        return rows if columns is None else rows[:, np.asarray(columns)]

    def taps(self, kinds: Sequence[str]) -> list:
        """Computes inner values of the network by kind, see `tenas_jax.tracing.taps`."""
        from tenas_jax.tracing.taps import tapped

        return tapped(self.model, self.params, self.batch.inputs, kinds=kinds)[1]

    def tap_gradients(
        self, kinds: Sequence[str], of: Callable[[jax.Array], jax.Array] | None = None
    ) -> list[jax.Array]:
        """Computes ∂L/∂(inner value) for the values of `taps`, in their order and shapes.

        Args:
            kinds: of the values.
            of: L, of the outputs; by default the mean loss of the batch.
        """
        from tenas_jax.tracing.taps import with_shifts

        batch = self.batch

        def loss(outputs: jax.Array) -> jax.Array:
            return cross_entropy(outputs, batch.targets, batch.weights).mean()

        g, zeros = with_shifts(self.model, self.params, batch.inputs, kinds=kinds)
        total = loss if of is None else of
        return jax.grad(lambda shifts: total(g(shifts, self.params, batch.inputs)[0]))(zeros)

    def function(self) -> Callable[[Any], jax.Array]:
        """Returns the network as a function of inputs alone."""
        return lambda inputs: self.model(self.params, inputs)

    @property
    def _own_batch(self) -> Batch:
        return self.batch.replace(held_out=None)

    def _check_floats(self, what: str) -> None:
        for leaf in jax.tree.leaves(self.batch.inputs):
            if not jnp.issubdtype(leaf.dtype, jnp.inexact):
                raise UserError(f"{what} needs inputs that are floats, not {leaf.dtype}")


def _identity(inputs: Any) -> tuple:
    """Tells one tree of arrays from others, by its form and which objects it holds."""
    leaves, tree = jax.tree.flatten(inputs)
    return tree, *map(id, leaves)
