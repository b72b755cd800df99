"""TEG-NAS on NAS-Bench-201: search by κ, linear regions and kernel regression together.

Chen et al., 2021, arXiv:2108.11939, with the released program's settings: 3 repeats of 64 images,
REINFORCE of 500 steps. `--config.strategy=evolution`, `pruning`, `random`, `local_search`, `nsga2`
and `gradient_pruning` search with the same scores. Results measured here are in docs/search.md.

    python -m experiments.search --config=configs/tegnas_nas_bench_201.py --workdir=runs/teg \
        --config.data_dir=DIR --config.strategy=evolution --config.seed=1
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from configs import tenas_nas_bench_201

METRICS = ("condition_number", "linear_regions", "kernel_regression")


def get_config() -> ConfigDict:
    """The configuration of TE-NAS's search with a third metric and strategies that learn."""
    config = tenas_nas_bench_201.get_config().unlock()
    config.strategy = "reinforce"
    config.metrics = METRICS
    config.batch_size = 64  # images N of the kernel, and as many again held out
    options = config.strategy_options  # of the strategy: None leaves one at its default
    options.count = placeholder(int)  # architectures scored, after which a search ends (no limit)
    options.steps = placeholder(
        int
    )  # proposals (reinforce, local_search, nsga2 500; evolution 1000)
    options.batch = placeholder(int)  # proposals scored at once (1: the published algorithms)
    options.combination = placeholder(str)  # of metrics: in combining.COMBINATIONS (rank_sum)
    options.learning_rate = placeholder(float)  # reinforce: Adam's (0.04; DARTS 0.07)
    options.momentum = placeholder(float)  # reinforce: of the moving-average baseline (0.9)
    options.window = placeholder(int)  # reinforce: scores that a reward is relative to (10)
    options.reward = placeholder(str)  # reinforce: a name in search.reward.REWARDS (change)
    options.population = placeholder(int)  # evolution 256, nsga2 64
    options.tournament = placeholder(int)  # evolution: candidates for a parent (64)
    options.costs = placeholder(tuple)  # nsga2: further objectives, parameters or multiply_adds
    return config.lock()
