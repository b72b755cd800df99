"""What the metrics say of one architecture, and its form in a record."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.runs.json_values import finite, plain


@dataclass(frozen=True)
class Score:
    """What the metrics say of one architecture, a value a repeat.

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
        """The mean over repeats; NaN if a repeat is bad."""
        return float(np.mean(self.values[name]))

    def to_record(self) -> dict:
        """As plain lists; a bad value becomes None."""
        return {
            **{
                name: [v if np.isfinite(v) else None for v in map(float, values)]
                for name, values in self.values.items()
            },
            "flags": self.flags,
            "seconds": self.seconds,
            **({"gradients": finite(plain(self.gradients))} if self.gradients else {}),
        }

    @classmethod
    def from_record(cls, record: Mapping) -> "Score":
        """The inverse of `to_record`.

        Raises:
            UserError: the record is no score, or has not one value a flag.
        """
        try:
            flags, seconds = dict(record["flags"]), float(record["seconds"])
            values = {
                name: np.array([np.nan if v is None else v for v in record[name]], float)
                for name in flags
            }
            found = record.get("gradients", {})
            gradients = {name: np.array(rows, float) for name, rows in found.items()}  # None: NaN
            whole = all(len(flags[n]) == len(values[n]) > 0 for n in flags) and len(flags) > 0
            whole &= all(len(g) == len(values[n]) and g.ndim == 4 for n, g in gradients.items())
        except (KeyError, TypeError, ValueError):
            whole = False
        if not whole:
            raise UserError(f"a record is not a whole score: {str(dict(record))[:200]}")
        return cls(values, flags, seconds, gradients)
