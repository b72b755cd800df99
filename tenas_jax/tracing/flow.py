"""What values of a flat program depend on: the data, constants, or one array element by element."""

from collections.abc import Iterator

import jax
import numpy as np

from tenas_jax.tracing.flat import RULED, Flat, Step

# Each element of what these give depends on the same element of what they are given.
ELEMENTWISE = frozenset(
    "abs add and ceil clamp convert_element_type copy copy_p cos div eq erf erfc exp exp2 expm1 "
    "floor ge gt integer_pow is_finite le log log1p logistic lt max min mul ne neg not or pow "
    "pcast pvary round rsqrt select_n sign sin sqrt square stop_gradient sub tan tanh xor".split()
)
_SAME_VALUE = frozenset(
    "broadcast_in_dim convert_element_type copy copy_p pcast pvary reshape squeeze "
    "stop_gradient".split()
)
_COMPARISONS = ("gt", "ge", "lt", "le")


class Flow:
    """Answers where the values of one flat program come from.

    Attributes:
        flat: the program.
        weights: numbers of those leaves of the arguments that are not data, as parameters are not.
            What depends on any other leaf is data.
        names: leaf -> its name in the tree of parameters.
    """

    def __init__(self, flat: Flat, weights: frozenset[int], names: dict[int, str]):
        self.flat, self.weights, self.names = flat, weights, names

    def is_data(self, slot: int) -> bool:
        """Returns whether a value depends on more than parameters and constants."""
        return not self.flat.origins[slot] <= self.weights

    def data_inputs(self, step: Step) -> list[int]:
        """Returns those floating-point inputs of a step that are data, each once."""
        return list(
            dict.fromkeys(a for a in step.inputs if self.is_data(a) and self.flat.is_float(a))
        )

    def constant(self, slot: int) -> float | None:
        """Returns the one number that a value consists of, or None if the program does not say."""
        while (k := self.flat.producers.get(slot)) is not None:
            if self.flat.steps[k].primitive not in _SAME_VALUE:
                return None
            slot = self.flat.steps[k].inputs[0]
        value = self.flat.constants.get(slot)
        written = value is not None and not isinstance(value, jax.Array) and np.ndim(value) == 0
        return float(value) if written else None

    def is_elementwise(self, k: int) -> bool:
        """Returns whether a step treats each element alone."""
        step = self.flat.steps[k]
        if step.primitive in ELEMENTWISE or step.whole:
            return True
        # A function with a derivative of its own that maps one array to another by such steps.
        if step.primitive not in RULED or len(self.data_inputs(step)) != 1:
            return False
        shapes = {self.flat.types[a].shape for a in (*self.data_inputs(step), *step.outputs)}
        (inner,) = step.inner
        own = Flow(inner, self.weights, self.names)
        return len(shapes) == 1 and all(
            own.is_elementwise(j) or not any(map(own.is_data, s.inputs))
            for j, s in enumerate(inner.steps)
        )

    def cone(self, slot: int, source: int) -> set[int] | None:
        """Returns the steps from one array to a value that is computed from it alone.

        Args:
            slot: the value.
            source: the array. Parameters and constants may enter besides.

        Returns:
            Numbers of steps; None if other data enters, or elements mix.
        """
        open_, steps = [slot], set()
        while open_:
            a = open_.pop()
            if not self.is_data(a) or a == source:
                continue
            k = self.flat.producers.get(a)
            if k is None or not self.is_elementwise(k):
                return None
            if k not in steps:
                steps.add(k)
                open_.extend(self.flat.steps[k].inputs)
        return steps

    def ancestors(self, slot: int, most: int = 50) -> Iterator[int]:
        """Yields the floating-point arrays that a value is computed from element by element.

        The nearest come first; a search ends after `most` steps.
        """
        queue = [slot]
        for a in queue:  # it grows as we go
            if not self.is_data(a) or len(queue) > most:
                continue
            if self.flat.is_float(a):
                yield a
            k = self.flat.producers.get(a)
            if k is not None and self.is_elementwise(k):
                queue.extend(b for b in self.flat.steps[k].inputs if b not in queue)

    def one_source(self, k: int) -> tuple[int, set[int]] | None:
        """Returns the array of which a step's result is a function, element by element.

        Returns:
            The nearest such array among what its first data input is computed from, and the steps
            from there on, `k` included; or None.
        """
        inputs = self.flat.steps[k].inputs
        first = next((a for a in inputs if self.is_data(a)), None)
        if first is None:
            return None
        for source in self.ancestors(first):
            cones = [self.cone(a, source) for a in inputs]
            if all(cone is not None for cone in cones):
                return source, {k}.union(*cones)
        return None

    def is_closed(self, steps: set[int]) -> bool:
        """Returns whether what all but the last of some steps give is read by these alone."""
        readers, last = self.flat.readers, max(steps)
        return all(
            readers[slot] <= steps
            for k in steps - {last}
            for slot in self.flat.steps[k].outputs
            if slot in readers
        )

    def is_statistic(self, k: int) -> bool:
        """Returns whether a root is taken of what a step gives, as of a clipped variance."""
        open_ = list(self.flat.steps[k].outputs)
        while open_:
            for j in self.flat.readers[open_.pop()] - {len(self.flat.steps)}:
                step = self.flat.steps[j]
                if step.primitive in ("sqrt", "rsqrt"):
                    return True
                if step.primitive in _SAME_VALUE or (
                    step.primitive == "add" and len(self.data_inputs(step)) == 1
                ):
                    open_.extend(step.outputs)
        return False

    def comparisons(self, slot: int) -> list[Step]:
        """Returns the comparisons of floating-point data that a truth value consists of."""
        open_, steps = [slot], []
        while open_:
            a = open_.pop()
            k = self.flat.producers.get(a)
            if k is None:
                continue
            step = self.flat.steps[k]
            if step.primitive in _COMPARISONS and self.data_inputs(step):
                steps.append(step)
            elif step.primitive in (*_SAME_VALUE, "and", "or", "not"):
                open_.extend(step.inputs)
        return steps[::-1]

    def switches(self, step: Step) -> list[Step]:
        """Returns the comparisons by which a step chooses: `where(x > 0, …)`, `x * (x > 0)`."""
        if step.primitive == "select_n":
            return self.comparisons(step.inputs[0])
        if step.primitive == "mul":
            return [c for a in step.inputs for c in self.comparisons(a)]
        return []
