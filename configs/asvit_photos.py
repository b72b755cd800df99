"""As-ViT's seed search with embedded photographs: 20 topologies in a minute, without any download.

python -m experiments.search --config=configs/asvit_photos.py --workdir=runs/seed_photos
"""

from ml_collections import ConfigDict

from configs import asvit_cifar10


def get_config() -> ConfigDict:
    """`asvit_cifar10` on `photos`, with one network a topology."""
    config = asvit_cifar10.get_config()
    config.data = "photos"
    config.repeats = 1
    config.strategy_options.steps = 20
    return config
