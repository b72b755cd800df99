"""Training of As-ViT's published seed topology on CIFAR-10 at 64 x 64, with coarse tokens at first.

Chen et al., 2022, arXiv:2202.11921, have the topology; the recipe and the sizes are our own. Images
are enlarged to 64 x 64, where tokens of 4 pixels make grids of 16, 8, 4 and 2 a side, and those of
8 pixels 8, 4, 2 and 1, so that factor 2 alone fits.

    python -m experiments.train --config=configs/train_as_vit_cifar10.py --workdir=runs/as_vit \
        --config.data_dir=DIR

Cost: not run here. 2,065,194 parameters and 21.6 M multiply-adds an image, of which coarse tokens
save 30.5 % over the training.
"""

from ml_collections import ConfigDict

from configs import train_as_vit_imagenet


def get_config() -> ConfigDict:
    """What differs from `train_as_vit_imagenet`."""
    config = train_as_vit_imagenet.get_config()
    config.arch = "8,2,3,1|4,1,2,1|4,1,4,1|4,1,6,1|32,32"  # one block a stage, width 32
    config.data = "cifar10"  # of TFDS
    config.test_split = "test"  # which part it is evaluated on
    config.size = 64  # side that images are resized to
    config.epochs = 200  # passes over the training images
    config.batch_size = 256  # images of a step, over all devices
    config.warmup_epochs = 10.0  # over which the learning rate first rises from 0
    config.drop_path = 0.1  # in the last block
    config.pad = 8  # zeros around an image before a random crop
    config.coarse = ((2, 80),)  # (factor, epochs): stride 8, then 4
    config.dtype = "float32"  # of the computation
    return config
