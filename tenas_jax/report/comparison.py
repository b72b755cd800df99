"""A found architecture beside random ones that were trained in the same way."""

import json
import pathlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from tenas_jax.report.tables import format_table
from tenas_jax.runs.files import atomic_write_text
from tenas_jax.runs.workdir import Workdir

FOUND = "found"
RESULT = "result.json"


def write_comparison(results: Mapping[str, Mapping], workdir: Workdir) -> dict:
    """Prints how the found one does against the others, and writes `result.json`.

    `accuracies.csv` is written besides, a table of accuracies as published benchmarks have them, in
    percent, and `archs.txt`, its architectures: `experiments.correlate` ranks scores by them.

    Args:
        results: by name what each training's `result.json` holds, that of the found one as `FOUND`.
        workdir: open, to be written to.

    Returns:
        What `result.json` holds: accuracies by name, mean and deviation of the random ones (None
        for one alone), and the found one's lead, all from 0 to 1.
    """
    accuracies = {name: result["top1"] for name, result in results.items()}
    others = [value for name, value in accuracies.items() if name != FOUND]
    mean = float(np.mean(others))
    compared = {
        "archs": {name: result["arch"] for name, result in results.items()},
        "parameters": {name: result["parameters"] for name, result in results.items()},
        "top1": accuracies,
        "random_mean": mean,
        "random_deviation": float(np.std(others, ddof=1)) if len(others) > 1 else None,
        "lead": accuracies[FOUND] - mean,
    }
    if workdir.is_writer:
        atomic_write_text(workdir.path / RESULT, json.dumps(compared, indent=2) + "\n")
        _write_table(compared, workdir)
    print(comparison_text(compared))
    return compared


def _write_table(compared: Mapping, workdir: Workdir) -> None:
    """The accuracies as a table, and its architectures, one a line."""
    data = pathlib.Path(workdir.config.get("data", "images")).stem
    columns = {name: list(compared[name].values()) for name in ("archs", "parameters", "top1")}
    table = pd.DataFrame({"arch": columns["archs"], "parameters": columns["parameters"]})
    table[f"{data}_test"] = [100 * top1 for top1 in columns["top1"]]
    atomic_write_text(workdir.path / "accuracies.csv", table.to_csv(index=False))
    atomic_write_text(workdir.path / "archs.txt", "\n".join(columns["archs"]) + "\n")


def comparison_text(compared: Mapping) -> str:
    """A row for each training, and the difference in words."""
    rows = [
        (name, f"{compared['parameters'][name]:,}", f"{100 * top1:.2f} %", compared["archs"][name])
        for name, top1 in compared["top1"].items()
    ]
    table = format_table(("training", "parameters", "test top-1", "architecture"), rows)
    deviation = compared["random_deviation"]
    spread = "" if deviation is None else f" ± {100 * deviation:.2f}"
    better = sum(compared["top1"][FOUND] > top1 for top1 in compared["top1"].values())
    return (
        f"{table}\n\n"
        f"random          {100 * compared['random_mean']:.2f} %{spread}, mean of {len(rows) - 1}\n"
        f"found           {100 * compared['lead']:+.2f} points, better than {better}"
    )
