"""As-ViT's growth as it was published: a family up to 80 to 110 million parameters, on ImageNet.

Chen et al., 2022, arXiv:2202.11921: a step scores networks of width 8 and more, and grows ones four
times as wide, with 1000 classes. Not run on ImageNet here.

    python -m experiments.grow --config=configs/grow_asvit_imagenet.py --workdir=runs/grown \
        --config.data_dir=DIR
"""

from ml_collections import ConfigDict

from configs import grow_asvit_cifar10


def get_config() -> ConfigDict:
    """What differs from `grow_asvit_cifar10`."""
    config = grow_asvit_cifar10.get_config()
    config.scale = 4
    config.classes = 1000
    config.least = 80_000_000
    config.most = 110_000_000
    config.data = "imagenet"
    config.size = 224
    config.limit = 10_000
    return config
