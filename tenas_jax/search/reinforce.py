"""Policy gradient: a policy draws architectures, and what was rewarded becomes likelier.

    loss = −Σ log p(operation) · (r − baseline)

the sum over the chosen edges; the baseline is the moving average of rewards, updated by r before it
is taken off. Adam follows the gradient. The answer is the best of all that was scored.

Source: Williams, 1992 (REINFORCE); with these rewards, settings and baseline Chen et al., 2021
(TEG-NAS), arXiv:2108.11939: 500 steps, learning rate 0.04 on NAS-Bench-201 and 0.07 on DARTS's
space, momentum 0.9. With a batch of B > 1 the gradient is the mean over the B, rewarded in turn.

In a reward (`REWARDS`) a metric that is bad counts as the worst value seen so far, or as the value
before where there is none; no number stands for it. TEG-NAS's program does so after a sentinel of
−1, and when a worse value comes later, changes the earlier ones to it, too; here what was rewarded
stays.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tenas_jax.errors import UserError, lookup
from tenas_jax.metrics import metric
from tenas_jax.scoring.combining import average_ranks, combine, goodness
from tenas_jax.search import policy
from tenas_jax.search.learner import Learner
from tenas_jax.search.strategy import whole_number
from tenas_jax.spaces import Space

STEPS, MOMENTUM = 500, 0.9
LEARNING_RATE, LEARNING_RATE_EDGES = 0.04, 0.07  # the second where edges are chosen, too
WINDOW = 10  # values whose range a change is relative to; As-ViT takes 20
SMALL = 1e-6  # added to the range


class Change:
    """Rewards a change: Σ_m s_m (m_t − m_{t−1}) / (range of m's last W values + 1e-6), at first 0.

    s is −1 where lower is better, +1 else; the W include m_t. Source: Chen et al., 2021 (TEG-NAS),
    arXiv:2108.11939, with W = 10; Chen et al., 2022 (As-ViT), arXiv:2202.11921, with 20.
    """

    def __init__(self, metrics: Sequence[str], combination: str, window: int = WINDOW):
        """Knows nothing yet; W is `window`, the combination plays no part."""
        del combination
        self._window = window
        self._recent: dict[str, list[float]] = {name: [] for name in metrics}
        self._worst: dict[str, float | None] = dict.fromkeys(metrics)

    def __call__(self, values: Mapping[str, float]) -> float:
        """Returns the reward of the next proposal, of its mean metrics (NaN where bad)."""
        return float(sum(self._one(name, values[name]) for name in self._recent))

    def _one(self, name: str, value: float) -> float:
        sign = 1 if metric(name).higher_is_better else -1
        recent, worst = self._recent[name], self._worst[name]
        if np.isfinite(value):
            pick = min if sign > 0 else max
            self._worst[name] = float(value if worst is None else pick(worst, value))
        else:
            value = worst
        if value is None:
            return 0.0  # nothing but bad ones so far
        recent.append(float(value))
        del recent[: -self._window]
        if len(recent) < 2:
            return 0.0
        return sign * (recent[-1] - recent[-2]) / (max(recent) - min(recent) + SMALL)

    def recall(self, told: Iterable[Mapping[str, float]]) -> None:
        """Takes up, in a fresh one, where a reward was that had seen these, in their order."""
        for values in told:
            self(values)


class Rank:
    """Rewards a rank: (rank − 1) / (t − 1) − 1/2, that of the proposal among all t, 1 the worst.

    By any combination; equals share a rank. It knows no scale, where `Change` knows no level.
    """

    def __init__(self, metrics: Sequence[str], combination: str, window: int = WINDOW):
        """Knows nothing yet; the window plays no part."""
        del window
        self._metrics, self._combination = tuple(metrics), combination
        self._values: dict[str, list[float]] = {name: [] for name in metrics}

    def __call__(self, values: Mapping[str, float]) -> float:
        """Returns the reward of the next proposal, of its mean metrics (NaN where bad)."""
        for name, column in self._values.items():
            column.append(float(values[name]))
        count = len(self._values[self._metrics[0]])
        if count < 2:
            return 0.0
        columns = {n: goodness(v, metric(n).higher_is_better) for n, v in self._values.items()}
        rank = average_ranks(combine(self._combination, columns))[-1]
        return float((rank - 1) / (count - 1) - 0.5)

    def recall(self, told: Iterable[Mapping[str, float]]) -> None:
        """Takes up, in a fresh one, where a reward was that had seen these, in their order."""
        for values in told:
            for name, column in self._values.items():
                column.append(float(values[name]))


# name -> (metrics, combination, window) -> a reward
REWARDS: dict[str, Callable] = {"change": Change, "rank": Rank}


class Reinforce(Learner):
    """Follows the gradient of a policy; see `Strategy` and `Learner`.

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

    def _learn(self, archs: Sequence[np.ndarray], indices: Sequence[int]) -> None:
        import optax

        gradient, rewards = np.zeros(self.logits.shape), []
        for arch, index in zip(archs, indices, strict=True):
            reward = self._reward(self._means(index))
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

    def _means(self, index: int) -> dict[str, float]:
        """Gives the metrics of a form that was scored."""
        return {name: column[index] for name, column in self.scored.values.items()}

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
            "collapsed": self.collapsed,
        }

    def _take(self, own: dict) -> None:
        import jax

        leaves, tree = jax.tree.flatten(self._moments)
        moments = [
            np.asarray(new, leaf.dtype) for new, leaf in zip(own["moments"], leaves, strict=True)
        ]
        self.logits = np.asarray(own["logits"], np.float32)
        self._moments = jax.tree.unflatten(tree, [jax.numpy.asarray(leaf) for leaf in moments])
        self._numerator, self._denominator = own["baseline"]
        told = (index for entry in self.history for index in entry["proposals"])
        self._reward.recall(map(self._means, told))
        self.collapsed = own["collapsed"]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
