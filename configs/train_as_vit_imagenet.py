"""Training of As-ViT Large on ImageNet at 224 x 224, with coarse tokens at first (300 epochs).

Chen et al., 2022, arXiv:2202.11921: a topology that was scored and grown without training, and a
first stride that becomes finer while the network is trained. The published schedule is not known to
us: 40 epochs with tokens four times as large and 70 with twice as large are our choice, and the
rest is the usual recipe of vision transformers (Touvron et al., 2020, arXiv:2012.12877): AdamW,
rising and then falling along a cosine, smoothed labels, mixup and CutMix, drop path.

    python -m experiments.train --config=configs/train_as_vit_imagenet.py --workdir=runs/as_vit \
        --config.data_dir=DIR

Cost: made for accelerators, and not run here. 87,580,820 parameters and 22.36 G multiply-adds an
image, of which coarse tokens save 31.6 % over the training. Images lie on every device as bytes,
0.15 MB each: `--config.limit=300000` of the 1,281,167 fill 45 GB, and all of them 193 GB.

Another architecture, of any size, is `--config.arch=ARCH`; what a search has found
`--config.arch= --from_search=DIR`.
"""

from ml_collections import ConfigDict

from configs import train_nas_bench_201


def get_config() -> ConfigDict:
    """What differs from `train_nas_bench_201`."""
    config = train_nas_bench_201.get_config()
    config.space = "as_vit"
    config.arch = "8,2,3,5|4,1,2,2|4,1,4,5|4,1,6,2|32,180"  # K,S,E,blocks of stages|heads,width
    config.network = ConfigDict()  # the architecture holds the sizes: depths, hidden
    config.data = "imagenet2012"  # of TFDS
    config.test_split = "validation"  # ImageNet's test labels are not public
    config.size = 224  # side that images are resized to
    config.epochs = 300  # passes over the training images
    config.batch_size = 1024  # images of a step, over all devices
    config.optimizer = "adamw"  # its weight decay is its own
    config.optimizer_options = ""  # Optax's: β 0.9 and 0.999
    config.learning_rate = 1e-3  # at its highest
    config.warmup_epochs = 20.0  # over which it first rises from 0
    config.weight_decay = 0.05  # on all parameters
    config.clip_norm = 5.0  # global norm of the gradients
    config.label_smoothing = 0.1  # share of a label that is spread over all classes
    config.drop_path = 0.3  # in the last block; it rises from 0 in the first
    config.drop_path_rises = False  # not by the epoch
    config.pad = 16  # zeros around an image before a random crop
    config.mixup = 0.8  # α; a batch has mixup or CutMix, with chance 1/2 each
    config.cutmix = 1.0  # α
    config.coarse = ((4, 40), (2, 70))  # (factor, epochs): strides 16, 8, then 4
    config.dtype = "bfloat16"  # of the computation
    return config
