"""Names and values in words, as a reader of the page knows them."""

import json
import math
from collections.abc import Mapping

import numpy as np

from tenas_jax.report.tables import MISSING
from tenas_jax.spaces import SPACES

WORDS = {
    "arch": "architecture",
    "average_rank_sum": "rank sum with ties averaged",
    "batch_size": "images N of the kernel",
    "best": "best",
    "cifar100": "CIFAR-100",
    "cifar10": "CIFAR-10",
    "cifar100_test": "CIFAR-100 test",
    "cifar10_test": "CIFAR-10 test",
    "condition_number": "condition number κ",
    "data": "images",
    "diversity": "diversity of the population",
    "evolution": "evolution",
    "gradient_pruning": "pruning the supernet by gradients",
    "imagenet16_120_test": "ImageNet16-120 test",
    "linear_regions": "linear regions",
    "log_rank_sum": "sum of the ranks' logarithms",
    "local_search": "local search",
    "multiply_adds": "multiply-adds",
    "nsga2": "NSGA-II",
    "pruning": "pruning the supernet",
    "random": "random",
    "rank_sum": "rank sum",
    "reinforce": "REINFORCE",
}
STRATEGIES = {
    "pruning": "pruning the supernet by the sum of ranks (TE-NAS)",
    "gradient_pruning": "pruning the supernet by the sum of ranks, removals judged by one gradient",
    "random": "random search, the best by the sum of ranks",
    "reinforce": "REINFORCE: a policy that learns from the changes of the metrics (TEG-NAS)",
    "evolution": "regularised evolution: of the population the oldest dies (Real et al.)",
    "local_search": "local search: the best neighbour, and a new start from an optimum",
    "growth": "growth: a block more and a larger width a step, by the sum of ranks (As-ViT)",
    "nsga2": "NSGA-II: evolution by Pareto fronts (Deb et al.)",
}


def words(name: str) -> str:
    """Puts a name of the library into words; of one that is not known, its own parts."""
    known = WORDS | {name: space.title for name, space in SPACES.items() if space.title}
    return known.get(name, name.replace("_", " "))


def show(value: object, decimals: int | None = None) -> str:
    """Writes a value as text; None and what is not finite as a dash.

    Args:
        value: of JSON or NumPy.
        decimals: after the point, for a number; None for five significant digits.
    """
    if value is None or (isinstance(value, float | np.floating) and not math.isfinite(value)):
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, float | np.floating):
        return _number(float(value), decimals)
    if isinstance(value, str):
        return value or MISSING
    return json.dumps(value, ensure_ascii=False)


def flat(config: Mapping, name: str = "") -> dict[str, object]:
    """Returns the fields of a config by their dotted names."""
    fields: dict[str, object] = {}
    for key, value in config.items():
        dotted = f"{name}.{key}" if name else str(key)
        if isinstance(value, Mapping) and value:
            fields |= flat(value, dotted)
        else:
            fields[dotted] = value
    return fields


def duration(seconds: float | None) -> str:
    """Writes seconds as a reader says them: `45 s`, `12 min 5 s`, `3 h 20 min`."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest} s"
    return f"{round(seconds / 3600, 1):g} h"


def plural(count: int, noun: str) -> str:
    """Writes `1 network`, `58 networks`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _number(value: float, decimals: int | None) -> str:
    """Writes a number, with five significant digits where no decimals are asked for."""
    if decimals is not None:
        return f"{value:,.{decimals}f}".replace("-", "−")
    if value == 0 or 1e-4 <= abs(value) < 1e5:
        digits = max(0, 4 - math.floor(math.log10(abs(value)))) if value else 0
        text = f"{value:,.{digits}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    elif 1e5 <= abs(value) < 1e9:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.4g}"
    return text.replace("-", "−")
