"""A budget: what an architecture may cost at most.

Parameters and multiply-adds are counted, of the derived network in full size on CIFAR-10's images
(`tenas_jax.networks.costs`); the time of a forward pass is measured (`latency`).
"""

import functools
import math

import numpy as np

from tenas_jax.errors import UserError, shorten
from tenas_jax.networks.costs import NAMES, Table, cheapest, cost, cost_table
from tenas_jax.search.latency import Stopwatch
from tenas_jax.spaces import Space

LIMITS = (*NAMES, "milliseconds")


class Budget:
    """Says of masks whether they keep limits.

    Attributes:
        space: of the masks.
        limits: name -> the most that is allowed, of those that are limited.
        stopwatch: what measures times; None where they are not limited.
    """

    def __init__(
        self,
        space: Space,
        *,
        parameters: float | None = None,
        multiply_adds: float | None = None,
        milliseconds: float | None = None,
        stopwatch: Stopwatch | None = None,
    ):
        """Nothing is counted or measured yet.

        Args:
            space: of the masks, one with a derived network.
            parameters: how many the derived network may have; None for any number.
            multiply_adds: how many it may need for an image.
            milliseconds: how long its forward pass may take.
            stopwatch: measures that; by default a new one, of single images and full size.

        Raises:
            UserError: no limit, or one that is no finite number above 0.
        """
        values = dict(zip(LIMITS, (parameters, multiply_adds, milliseconds), strict=True))
        self.space = space
        self.limits = {name: value for name, value in values.items() if value is not None}
        if not self.limits:
            raise UserError(f"a budget has no limit; valid: {', '.join(LIMITS)}")
        for name, value in self.limits.items():
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not number or not 0 < value < math.inf:
                raise UserError(f"{name} is {shorten(value)}; valid: finite numbers above 0")
        self.stopwatch = (stopwatch or Stopwatch(space)) if self.measures else None

    @property
    def measures(self) -> bool:
        """Tells whether times are limited, so that `admits` compiles and runs networks."""
        return "milliseconds" in self.limits

    def admits(self, mask: np.ndarray) -> bool:
        """Tells whether a mask uint8 [cells, edges, operations] holds an arch within the budget.

        An architecture is within it if it costs no more than allowed. Of a supernet, counted costs
        are decided exactly, all limits together. Its time is that of its leanest architecture: of
        those within the other limits the one of fewest multiply-adds, of these of fewest
        parameters, of these of least `index`. That is taken for the fastest.
        """
        leanest = self._leanest(mask)
        if leanest is None or not self.measures:
            return leanest is not None
        return self.stopwatch.milliseconds(leanest) <= self.limits["milliseconds"]

    def check(self) -> None:
        """Finds out whether there is anything within the budget.

        Raises:
            UserError: nothing in the space is: a limit, and the smallest that there is, of which
                architecture; of all, or where each limit is met by some, of those that meet the
                others.
        """
        everything = np.ones(self.space.mask_shape, np.uint8)
        if self._counted:
            costs, archs = cheapest(self.space, self._table, everything)
            for column, name in enumerate(NAMES):
                least = int(costs[:, column].argmin())
                if costs[least, column] > self.limits.get(name, math.inf):
                    raise self._exceeded(name, costs[least, column], archs[least])
            if self._leanest(everything) is None:
                raise self._none_at_once(costs, archs)
        if not self.admits(everything):
            leanest = self._leanest(everything)
            raise self._exceeded("milliseconds", self.stopwatch.milliseconds(leanest), leanest)

    def costs(self, arch: np.ndarray) -> dict[str, float]:
        """Says what an architecture int8 [cells, edges] costs.

        Returns:
            `parameters`, `multiply_adds`, and `milliseconds` where they are limited, for which it
            is measured.
        """
        costs = cost(self._table, self.space.to_mask(arch))
        if self.measures:
            costs["milliseconds"] = self.stopwatch.milliseconds(arch)
        return costs

    def keep(self) -> None:
        """Has the stopwatch write its file from now on; see `Stopwatch.keep`."""
        if self.stopwatch is not None:
            self.stopwatch.keep()

    @property
    def _counted(self) -> bool:
        return any(name in self.limits for name in NAMES)

    @functools.cached_property
    def _table(self) -> Table:
        return cost_table(self.space)

    def _leanest(self, mask: np.ndarray) -> np.ndarray | None:
        """Finds the leanest architecture of a mask, see `admits`; None where none is within."""
        if not self._counted and self.space.is_single(mask):
            return self.space.from_mask(mask)  # there is no need to count anything
        costs, archs = cheapest(self.space, self._table, mask)
        limits = [self.limits.get(name, math.inf) for name in NAMES]
        within = np.flatnonzero((costs <= limits).all(1))
        if not len(within):
            return None
        # Of equal multiply-adds `cheapest` gives those of fewest parameters alone.
        return archs[within[costs[within, NAMES.index("multiply_adds")].argmin()]]

    def _none_at_once(self, costs: np.ndarray, archs: np.ndarray) -> UserError:
        """Makes the error where some meet each counted limit, but none meets both."""
        first, second = NAMES
        within = np.flatnonzero(costs[:, 0] <= self.limits[first])
        least = within[costs[within, 1].argmin()]
        among = f" with at most {self.limits[first]:.12g} {first}"
        return self._exceeded(second, costs[least, 1], archs[least], among)

    def _exceeded(self, name: str, least: float, arch: np.ndarray, among: str = "") -> UserError:
        shown = f"{least:.3g}" if name == "milliseconds" else f"{least:.0f}"
        return UserError(
            f"budget: {name} is {self.limits[name]:.12g}, but the least of {self.space.name}{among}"
            f" is {shown}, of {self.space.to_string(arch)}"
        )
