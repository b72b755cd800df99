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
from tenas_jax.search.options import whole_number
from tenas_jax.spaces import Space

POPULATION, STEPS = 64, 500


class Nsga2(Learner):
    """The strategy; see `Strategy` and `Learner`."""

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
        self._living: list[int] = []  # places in `scored`
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
        """Of two parents, each the better of two by rank."""
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
        """(cell, edges) that are inherited together: one edge, or all into a node."""
        if self.space.inputs_per_node is None:
            edges = [[i] for i in range(len(self.space.edges))]
        else:
            nodes = sorted({node for node, _ in self.space.edges})
            edges = [[i for i, (t, _) in enumerate(self.space.edges) if t == n] for n in nodes]
        return [(cell, own) for cell in range(self.space.cells) for own in edges]

    def _learn(self, archs: Sequence[np.ndarray], places: Sequence[int]) -> None:
        self._count_costs()
        everyone = list(dict.fromkeys([*self._living, *places]))  # no form lives twice
        order = np.argsort(self._ranks(everyone), kind="stable")
        self._living = sorted(everyone[i] for i in order[: self._size])
        self._front = self._fronts(range(len(self.scored)))[0]

    def _ranks(self, places: Sequence[int]) -> np.ndarray:
        """Places by (front, crowding), 0 for the best: int [K]."""
        from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance

        at = {place: i for i, place in enumerate(places)}
        order, objectives = [], self._objectives(places)
        for front in self._fronts(places):
            own = [at[place] for place in front]
            distance = calc_crowding_distance(objectives[own])
            order += [own[i] for i in np.argsort(-distance, kind="stable")]
        ranks = np.empty(len(order), int)
        ranks[order] = np.arange(len(order))
        return ranks

    def _fronts(self, places: Sequence[int]) -> list[list[int]]:
        """Places by front, the first one undominated."""
        from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

        places = list(places)
        fronts = NonDominatedSorting().do(self._objectives(places))
        return [sorted(places[i] for i in front) for front in fronts]

    def _objectives(self, places: Sequence[int]) -> np.ndarray:
        """[K, objectives], smaller is better; a bad one is worse than all finite ones."""
        columns = [-column for column in self.scored.goodness().values()]
        columns += [np.array(column, float) for column in self._costs.values()]
        largest = [np.nanmax(column, initial=0) for column in columns]
        worst = [top + 1 + 1e-6 * top for top in largest]  # 1 is lost beside a κ of 1e16
        filled = [np.where(np.isfinite(c), c, w) for c, w in zip(columns, worst, strict=True)]
        return np.stack(filled, axis=1)[list(places)]

    def _count_costs(self) -> None:
        """The costs of what is new."""
        for name, column in self._costs.items():
            new = [self.space.to_mask(arch) for arch in self.scored.archs[len(column) :]]
            column += [cost(self._table, mask)[name] for mask in new]

    @functools.cached_property
    def _table(self) -> Table:
        """Holds what each operation costs."""
        return cost_table(self.space)

    def _answer(self) -> int:
        return self.scored.best(self.combination, self._front)

    def _population(self) -> Sequence[np.ndarray]:
        return [self.scored.archs[place] for place in self._living]

    def _own_entry(self) -> dict[str, float]:
        return {"front": len(self._front)}

    def _own_state(self) -> dict:
        costs = {name: list(column) for name, column in self._costs.items()}
        objectives = self.scored.state()["values"] | costs
        return {"living": self._living, "front": self._front, "objectives": objectives}

    def _take(self, own: dict) -> None:
        self._living, self._front = list(own["living"]), list(own["front"])
        self._costs = {name: list(own["objectives"][name]) for name in self._costs}
