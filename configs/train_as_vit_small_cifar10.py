"""Small vision transformers for a few epochs on CIFAR-10 at 64 x 64, to tell topologies apart.

The seed topology at width 16, 522,138 parameters, and random topologies of its size, trained alike
for 12 epochs without mixing or dropping. Cost and what it came to are in docs/as_vit.md.

    python -m experiments.compare --config=configs/train_as_vit_small_cifar10.py \
        --workdir=runs/topologies --random=23 --config.data_dir=DIR
"""

from ml_collections import ConfigDict

from configs import train_as_vit_cifar10


def get_config() -> ConfigDict:
    """What differs from `train_as_vit_cifar10`."""
    config = train_as_vit_cifar10.get_config()
    config.arch = "8,2,3,1|4,1,2,1|4,1,4,1|4,1,6,1|32,16"  # the seed topology, half as wide
    config.epochs = 12  # passes over the training images
    config.batch_size = 64  # images of a step, over all devices
    config.warmup_epochs = 1.0  # over which the learning rate first rises from 0
    config.mixup = 0.0  # so few epochs need no mixing
    config.cutmix = 0.0  # likewise
    config.drop_path = 0.0  # nor dropping
    config.coarse = ()  # nor coarse tokens, which would favour some topologies
    config.evaluate_every = 12  # epochs from one evaluation to the next
    return config
