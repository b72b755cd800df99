"""Policy gradient: a policy draws architectures, and what was rewarded becomes likelier.

    loss = −Σ log p(operation) · (r − baseline)

the sum over the chosen edges; the baseline is the moving average of rewards, updated by r before it
is taken off. Adam follows the gradient. The answer is the best of all that was scored.

Source: Williams, 1992 (REINFORCE); with these rewards, settings and baseline Chen et al., 2021
(TEG-NAS), arXiv:2108.11939: 500 steps, learning rate 0.04 on NAS-Bench-201 and 0.07 on DARTS's
space, momentum 0.9. With a batch of B > 1 the gradient is the mean over the B, rewarded in turn.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tenas_jax.errors import UserError, lookup
from tenas_jax.search import policy
from tenas_jax.search.learner import Learner
from tenas_jax.search.options import whole_number
from tenas_jax.search.reward import REWARDS, WINDOW
from tenas_jax.spaces import Space

STEPS, MOMENTUM = 500, 0.9
LEARNING_RATE, LEARNING_RATE_EDGES = 0.04, 0.07  # the second where edges are chosen, too


class Reinforce(Learner):
    """The strategy; see `Strategy` and `Learner`.

    Attributes:
        logits: of the policy, float32 [cells, edges, operations].
        collapsed: whether the policy draws one architecture alone, which ends the search.
    """

    def __init__(
        self,
        space: Space,
        metrics: Sequence[str],
        seed: int,
        *,
        learning_rate: float | None = None,
        momentum: float = MOMENTUM,
        reward: str = "change",
        window: int = WINDOW,
        steps: int = STEPS,
        **options: Any,
    ):
        """Starts from a policy that is nearly uniform.

        Args:
            space, metrics, seed, steps, **options: see `Learner`.
            learning_rate: Adam's; by default 0.04, or 0.07 where a node's edges are chosen.
            momentum: of the baseline's moving average, from 0 to less than 1.
            reward: a name in `REWARDS`.
            window: scores whose range a change is relative to, reward `change` alone.

        Raises:
            UserError: as of `Learner`, a rate or momentum out of range, an unknown reward.
        """
        super().__init__(space, metrics, seed, steps=steps, **options)
        if learning_rate is None:
            learning_rate = LEARNING_RATE_EDGES if space.inputs_per_node else LEARNING_RATE
        if not _number(learning_rate) or not 0 < learning_rate < math.inf:
            raise UserError(f"learning_rate is {learning_rate!r}; valid: finite numbers above 0")
        if not _number(momentum) or not 0 <= momentum < 1:
            raise UserError(f"momentum is {momentum!r}; valid: from 0 to less than 1")
        import optax  # slow to import

        self._optimiser = optax.adam(learning_rate)
        self._momentum = momentum
        self._reward = lookup("reward", REWARDS, reward)(
            self.metrics, self.combination, whole_number("window", window, 2)
        )
        rng = np.random.default_rng([seed, 2**31])  # no round's
        self.logits = policy.initial_logits(space, rng)
        self._moments = self._optimiser.init(self.logits)
        self._numerator = self._denominator = 0.0  # of the moving average
        self._told: dict[str, float] = {}
        self.collapsed = False

    def _propose(self, rng: np.random.Generator, n: int) -> list[np.ndarray]:
        draw = lambda: policy.sample(self.space, self.logits, rng)  # noqa: E731
        return [self._admitted(draw) for _ in range(n)]

    def _learn(self, archs: Sequence[np.ndarray], places: Sequence[int]) -> None:
        import optax

        gradient, rewards = np.zeros(self.logits.shape), []
        for arch, place in zip(archs, places, strict=True):
            reward = self._reward({n: v[place] for n, v in self.scored.values.items()})
            self._numerator = self._momentum * self._numerator + (1 - self._momentum) * reward
            self._denominator = self._momentum * self._denominator + (1 - self._momentum)
            advantage = reward - self._numerator / self._denominator
            gradient -= advantage * policy.gradient(self.space, self.logits, arch) / len(archs)
            rewards.append(reward)
        updates, self._moments = self._optimiser.update(
            gradient.astype(np.float32), self._moments, self.logits
        )
        self.logits = np.asarray(optax.apply_updates(self.logits, updates))
        entropy = policy.entropy(self.space, self.logits)
        self.collapsed = entropy < policy.COLLAPSED
        self._told = {"reward": float(np.mean(rewards)), "entropy": entropy}

    def _ended(self) -> bool:
        return self.collapsed

    def _own_entry(self) -> dict[str, float]:
        return self._told

    def _own_state(self) -> dict:
        import jax

        return {
            "logits": self.logits.tolist(),
            "moments": [np.asarray(leaf).tolist() for leaf in jax.tree.leaves(self._moments)],
            "baseline": [self._numerator, self._denominator],
            "reward": self._reward.state(),
            "collapsed": self.collapsed,
        }

    def _take(self, own: dict) -> None:
        import jax

        leaves, tree = jax.tree.flatten(self._moments)
        found = [
            np.asarray(new, leaf.dtype) for new, leaf in zip(own["moments"], leaves, strict=True)
        ]
        self.logits = np.asarray(own["logits"], np.float32)
        self._moments = jax.tree.unflatten(tree, [jax.numpy.asarray(leaf) for leaf in found])
        self._numerator, self._denominator = own["baseline"]
        self._reward.restore(own["reward"])
        self.collapsed = own["collapsed"]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
