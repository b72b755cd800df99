"""What the metrics say of one architecture, and its form in a record."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.ntk import FLAGS, OK
from tenas_jax.runs.json_values import finite, plain


@dataclass(frozen=True)
class Score:
    """Holds what the metrics say of one architecture, a value a repeat.

    Attributes:
        values: metric -> [repeats]; NaN where the flag is not `ok`.
        flags: metric -> words of `tenas_jax.ntk.FLAGS`, one a repeat.
        seconds: run time of this architecture's share, without compilation.
        gradients: metric -> [repeats, cells, edges, operations], where they were asked for: the
            derivatives of its logarithm in the operations' weights; NaN where it is bad.
    """

    values: dict[str, np.ndarray]
    flags: dict[str, list[str]]
    seconds: float = field(default=0.0, compare=False)
    gradients: dict[str, np.ndarray] = field(default_factory=dict)

    def mean(self, name: str) -> float:
        """Returns the mean over repeats; NaN if a repeat is bad."""
        return float(np.mean(self.values[name]))

    @property
    def bad(self) -> int:
        """Counts the values that are flagged."""
        return sum(flag != FLAGS[OK] for flags in self.flags.values() for flag in flags)

    def to_record(self) -> dict:
        """Gives its part of a record: `scores`, in which metrics may have any name, and `seconds`.

        Returns:
            Plain lists: `{"scores": {metric: {"values": […], "flags": […]}}, "seconds": …}`, and a
            metric's `gradients` where there are any. A bad value is None.
        """
        scores: dict[str, dict] = {}
        for name, values in self.values.items():
            scores[name] = {"values": finite(plain(values)), "flags": list(self.flags[name])}
            if name in self.gradients:
                scores[name]["gradients"] = finite(plain(self.gradients[name]))
        return {"scores": scores, "seconds": self.seconds}

    @classmethod
    def from_record(cls, record: Mapping) -> "Score":
        """Reads what `to_record` gave, of a record that may hold more.

        Raises:
            UserError: the record is no score, or has not one value a flag.
        """
        values, flags, gradients = {}, {}, {}
        try:
            seconds = float(record["seconds"])
            for name, score in record["scores"].items():
                # None becomes NaN.
                values[name] = np.array(score["values"], np.float64)
                flags[name] = [str(flag) for flag in score["flags"]]
                if "gradients" in score:
                    gradients[name] = np.array(score["gradients"], np.float64)
            shapes = [values[name].shape == (len(flags[name]),) != (0,) for name in values]
            shapes += [g.ndim == 4 and len(g) == len(values[n]) for n, g in gradients.items()]
            whole = len(values) > 0 and all(shapes)
        except (AttributeError, KeyError, TypeError, ValueError):
            whole = False
        if not whole:
            raise UserError(f"a record is not a whole score: {str(dict(record))[:200]}")
        return cls(values, flags, seconds, gradients)
