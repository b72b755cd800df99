"""As-ViT's seed search as it was published, on ImageNet at 224 x 224.

Chen et al., 2022, arXiv:2202.11921. `imagenet` is TFDS's `imagenet2012`, of which the first 10,000
images are read; `--config.data=DIR` reads a folder `train/CLASS/*.JPEG` instead. Not run on
ImageNet here.

    python -m experiments.search --config=configs/asvit_imagenet.py --workdir=runs/seed_imagenet \
        --config.data_dir=DIR
"""

from ml_collections import ConfigDict

from configs import asvit_cifar10


def get_config() -> ConfigDict:
    """`asvit_cifar10` on ImageNet."""
    config = asvit_cifar10.get_config()
    config.data = "imagenet"
    config.size = 224
    config.limit = 10_000
    return config
