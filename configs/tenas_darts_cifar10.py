"""TE-NAS on DARTS's space for CIFAR-10: prune operations, then edges.

Chen, Gong and Wang, 2021, arXiv:2102.11535, with the released program's settings (preset
`reference`): 3 repeats of N = 14 images, 3 operations pruned on an edge and round, 332 removals
scored. What it finds is trained with `train_darts_cifar10.py`. Cost measured here: 302 s on 2 cores
(fifth-generation EPYC), compiling included, and 2.1 GiB.

    python -m experiments.search --config=configs/tenas_darts_cifar10.py \
        --workdir=runs/darts_search --config.data_dir=DIR
"""

from ml_collections import ConfigDict

from configs import tenas_nas_bench_201


def get_config() -> ConfigDict:
    """What differs from `tenas_nas_bench_201`."""
    config = tenas_nas_bench_201.get_config()
    config.space = "darts"
    config.batch_size = 14
    config.strategy_options.per_round = 3
    return config
