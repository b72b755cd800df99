"""TE-NAS on DARTS's space for ImageNet, whose images are resized to 32 x 32.

Chen, Gong and Wang, 2021, arXiv:2102.11535, with the released program's settings (preset
`reference`): 3 repeats of N = 24 images, 2 operations pruned on an edge and round, 444 removals
scored. `imagenet` is TFDS's `imagenet2012`; `--config.data=DIR` reads a folder `train/CLASS/*.JPEG`
instead. Of the 1.28 million images the first 10,000 are read (`limit`), of which a search takes 30
batches. Not run on ImageNet here, but on a small folder. Cost: a kernel took 0.80 s on a core of a
fifth-generation EPYC, where one of N = 14 took 0.33 s, and 454 networks have three each.

    python -m experiments.search --config=configs/tenas_darts_imagenet.py \
        --workdir=runs/darts_imagenet_search --config.data_dir=DIR
"""

from ml_collections import ConfigDict

from configs import tenas_darts_cifar10


def get_config() -> ConfigDict:
    """What differs from `tenas_darts_cifar10`."""
    config = tenas_darts_cifar10.get_config()
    config.data = "imagenet"
    config.size = 32
    config.limit = 10_000
    config.batch_size = 24
    config.strategy_options.per_round = 2
    return config
