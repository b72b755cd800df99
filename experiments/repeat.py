"""Repeats a search over seeds, beside random search at the same number of scored networks.

    python -m experiments.repeat --config=configs/tenas_nas_bench_201.py --workdir=runs/repeat \
        --seeds=8 --config.data_dir=DIR --config.benchmark_table=accuracy.csv

Each search has a folder of its own in the workdir, `pruning-0`, `random-0`, `pruning-1`, ..., with
the records of a search. Killed and started again, it goes on where it was; more seeds may be asked
for later. `--strategies=pruning,evolution,reinforce` repeats several by the same scores, each with
those of the config's options that it has; random search then scores `strategy_options.count`, or as
many as the first of them.
"""

import pathlib

from absl import app, flags

from experiments.command import main_without_traceback, parse_flags
from experiments.devices import prepare
from experiments.search import checked_config, run  # and its flags --config, --workdir
from tenas_jax import spaces
from tenas_jax.benchmarks import load
from tenas_jax.errors import UserError
from tenas_jax.report.repeat_result import RANDOM, seed_row, write_repeats
from tenas_jax.runs.workdir import Workdir
from tenas_jax.search import options_of
from tenas_jax.search.task import IGNORED

FLAGS = flags.FLAGS
flags.DEFINE_integer("seeds", 8, "How many, from config.seed on.", lower_bound=1)
flags.DEFINE_list("strategies", None, "Which; the config's by default.")


def searches(config: dict, strategies: list[str], folder: pathlib.Path) -> dict[str, dict]:
    """Returns the results of some strategies and of random search by one seed."""
    options, results = config["strategy_options"], {}
    for name in [*(name for name in strategies if name != RANDOM), RANDOM]:
        given = {key: value for key, value in options.items() if key in options_of(name)}
        if name == RANDOM and not given.get("count") and results:
            given["count"] = next(iter(results.values()))["architectures_scored"]
        own = {**config, "strategy": name, "strategy_options": given}
        results[name] = run(own, str(folder / f"{name}-{config['seed']}"))
    return results


def main(argv: list[str]) -> None:
    del argv
    config = checked_config()
    prepare(config["cpu_devices"])
    if config["benchmark_table"] is None:
        raise UserError("give --config.benchmark_table=FILE, the accuracies of what is found")
    table = load(config["benchmark_table"], spaces.get(config["space"]))
    columns, strategies = table.accuracies, FLAGS.strategies or [config["strategy"]]
    rows: dict[str, list[dict]] = {}
    with Workdir.open(FLAGS.workdir, {"command": "repeat", **config}, ignore=IGNORED) as work:
        for seed in range(config["seed"], config["seed"] + FLAGS.seeds):
            for name, results in searches({**config, "seed": seed}, strategies, work.path).items():
                rows.setdefault(name, []).append(seed_row(seed, results, table, columns))
        write_repeats(rows, table, config, work)


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
