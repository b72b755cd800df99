"""Random search of NAS-Bench-201 by κ and linear regions: the floor of every search.

Architectures drawn at random are scored by the released program's settings (preset `reference`),
and the one of smallest rank sum is taken: 58 of them, as many networks as TE-NAS's search scores,
at the same cost. `experiments.repeat` runs it beside any other search by itself.

    python -m experiments.search --config=configs/random_nas_bench_201.py --workdir=runs/random \
        --config.data_dir=DIR --config.seed=1
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from configs import tenas_nas_bench_201


def get_config() -> ConfigDict:
    """The configuration of TE-NAS's search with another strategy."""
    config = tenas_nas_bench_201.get_config().unlock()
    config.strategy = "random"
    options = config.strategy_options = ConfigDict()  # the strategy's own
    options.count = 58  # architectures scored
    options.combination = placeholder(str)  # of their metrics: in combining.COMBINATIONS (rank_sum)
    return config.lock()
