"""TEG-NAS on DARTS's space with CIFAR-10: κ, linear regions and kernel regression together.

Chen et al., 2021, arXiv:2108.11939. Its program scores 64 images; here as many as TE-NAS's program
takes on this space, 14, since the kernels take most of the time: `--config.batch_size=64` is its.

    python -m experiments.search --config=configs/tegnas_darts_cifar10.py --workdir=runs/teg_darts \
        --config.data_dir=DIR --config.strategy=gradient_pruning
"""

from ml_collections import ConfigDict

from configs import tegnas_nas_bench_201


def get_config() -> ConfigDict:
    """The configuration of TEG-NAS on another space."""
    config = tegnas_nas_bench_201.get_config()
    config.space = "darts"
    config.batch_size = 14
    return config
