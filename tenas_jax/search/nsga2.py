"""NSGA-II: a population that spreads along the Pareto front of several objectives.

The objectives are the metrics, signed so that smaller is better, and, if asked for, costs of the
derived network. A generation is drawn by binary tournaments on (front, crowding), crossed over
edge by edge (node by node where a space keeps some edges of each), changed in one place
(`Space.neighbours`), and the best of parents and children by (front, crowding) survive. A bad
value ranks behind every other in its objective. The answer is the best of the front of all that was
scored, by the combination of the metrics; the whole front is in the state, for the report.

Source: Deb et al., 2002, doi:10.1109/4235.996017; fronts and crowding are pymoo's (Blank and Deb,
2020, doi:10.1109/ACCESS.2020.2990567). With a batch of 1 each child meets its parents at once.
"""

import functools
import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from tenas_jax.errors import UserError, lookup
from tenas_jax.networks.costs import NAMES as COSTS
from tenas_jax.networks.costs import Table, cost, cost_table
from tenas_jax.search.learner import Learner
from tenas_jax.search.strategy import whole_number
from tenas_jax.spaces import Space

POPULATION, STEPS = 64, 500


class Nsga2(Learner):
    """Spreads a population along a front; see `Strategy` and `Learner`.

    A round's entry also says the length of the `front`, and the `costs` of the forms that are new.
    """

    def __init__(
        self,
        space: Space,
        metrics: Sequence[str],
        seed: int,
        *,
        population: int = POPULATION,
        costs: Sequence[str] = (),
        steps: int = STEPS,
        **options: Any,
    ):
        """Nothing is proposed yet.

        Args:
            space, metrics, seed, **options: see `Learner`.
            population: how many live, at least 2.
            costs: further objectives, names of `networks.costs.NAMES`.
            steps: children; the first population comes on top.

        Raises:
            UserError: as of `Learner`; pymoo is not installed, an unknown cost, a single objective,
                or a population not smaller than `count`, of which none would be left for children.
        """
        super().__init__(space, metrics, seed, steps=steps, **options)
        if importlib.util.find_spec("pymoo") is None:
            raise UserError("nsga2 needs pymoo: pip install 'tenas_jax[pareto]'")
        costs = [costs] if isinstance(costs, str) else costs
        for name in costs:
            lookup("cost", dict.fromkeys(COSTS), name)
        self._costs = {name: [] for name in costs}
        if len(self.metrics) + len(self._costs) < 2:
            raise UserError(
                f"nsga2 needs two objectives; {', '.join(self.metrics)} is one: name another "
                f"metric, or costs of {', '.join(COSTS)}"
            )
        self._size = whole_number("population", population, 2)
        if self.count is not None and self.count <= population:
            raise UserError(
                f"count is {self.count}, and the first population takes {population} of it: "
                "take a smaller population"
            )
        self._living: list[int] = []  # indices of `scored`
        self._front: list[int] = []  # of all that was scored

    def _most_steps(self) -> int:
        return self._size + self.steps_limit

    def _propose(self, rng: np.random.Generator, n: int) -> list[np.ndarray]:
        missing = self._size - self.steps
        if missing > 0:
            draw = lambda: self.space.sample(rng)  # noqa: E731
            return [self._admitted(draw) for _ in range(min(n, missing))]
        ranks = self._ranks(self._living)
        return [self._admitted(lambda: self._child(ranks, rng)) for _ in range(n)]

    def _child(self, ranks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Returns a child of two parents, each the better of two by rank."""
        parents = []
        for _ in range(2):
            pair = rng.integers(len(self._living), size=2)
            parents.append(self.scored.archs[self._living[pair[ranks[pair].argmin()]]])
        child = parents[0].copy()
        for group in self._groups():
            if rng.random() < 0.5:
                child[group] = parents[1][group]
        around = self.space.neighbours(child)
        return around[rng.integers(len(around))]

    def _groups(self) -> list[tuple[int, Any]]:
        """Lists (cell, edges) that are inherited together: one edge, or all into a node."""
        if self.space.inputs_per_node is None:
            edges = [[i] for i in range(len(self.space.edges))]
        else:
            nodes = sorted({node for node, _ in self.space.edges})
            edges = [[i for i, (t, _) in enumerate(self.space.edges) if t == n] for n in nodes]
        return [(cell, own) for cell in range(self.space.cells) for own in edges]

    def _learn(self, archs: Sequence[np.ndarray], indices: Sequence[int]) -> None:
        self._count_costs()
        everyone = list(dict.fromkeys([*self._living, *indices]))  # no form lives twice
        order = np.argsort(self._ranks(everyone), kind="stable")
        self._living = sorted(everyone[i] for i in order[: self._size])
        self._front = self._fronts(range(len(self.scored)))[0]

    def _ranks(self, indices: Sequence[int]) -> np.ndarray:
        """Ranks the forms at K indices by (front, crowding), 0 for the best: int [K]."""
        from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance

        at = {index: i for i, index in enumerate(indices)}
        order, objectives = [], self._objectives(indices)
        for front in self._fronts(indices):
            own = [at[index] for index in front]
            distance = calc_crowding_distance(objectives[own])
            order += [own[i] for i in np.argsort(-distance, kind="stable")]
        ranks = np.empty(len(order), int)
        ranks[order] = np.arange(len(order))
        return ranks

    def _fronts(self, indices: Sequence[int]) -> list[list[int]]:
        """Parts indices by front, the first one undominated."""
        from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

        indices = list(indices)
        fronts = NonDominatedSorting().do(self._objectives(indices))
        return [sorted(indices[i] for i in front) for front in fronts]

    def _objectives(self, indices: Sequence[int]) -> np.ndarray:
        """Returns [K, objectives], smaller is better; a bad one is worse than all finite ones."""
        columns = [-column for column in self.scored.goodness().values()]
        columns += [np.array(column, float) for column in self._costs.values()]
        largest = [np.nanmax(column, initial=0) for column in columns]
        worst = [top + 1 + 1e-6 * top for top in largest]  # 1 is lost beside a κ of 1e16
        filled = [np.where(np.isfinite(c), c, w) for c, w in zip(columns, worst, strict=True)]
        return np.stack(filled, axis=1)[list(indices)]

    def _count_costs(self) -> None:
        """Counts the costs of what is new."""
        for name, column in self._costs.items():
            new = [self.space.to_mask(arch) for arch in self.scored.archs[len(column) :]]
            column += [cost(self._table, mask)[name] for mask in new]

    @functools.cached_property
    def _table(self) -> Table:
        """Counts what each operation costs, from a few networks, which takes seconds."""
        return cost_table(self.space)

    def _answer(self) -> int:
        return self.scored.best(self.combination, self._front)

    def _population(self) -> Sequence[np.ndarray]:
        return [self.scored.archs[index] for index in self._living]

    def _own_entry(self) -> dict:
        told = self.history[-1]["scored"] if self.history else 0
        costs = {name: column[told:] for name, column in self._costs.items()}
        return {"front": len(self._front)} | ({"costs": costs} if costs else {})

    def _own_state(self) -> dict:
        return {"living": self._living, "front": self._front}

    def _take(self, own: dict) -> None:
        self._living, self._front = list(own["living"]), list(own["front"])
        for name in self._costs:
            self._costs[name] = [n for entry in self.history for n in entry["costs"][name]]
