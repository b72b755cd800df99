"""As-ViT's seed search: topologies of vision transformers by κ and length distortion.

Chen et al., 2022, arXiv:2202.11921, with the released program's settings (preset `as_vit`): 5
networks of width 32 with a block a stage, 16 images, 10 points of a curve, REINFORCE of 500 steps.
The program takes images of 224 x 224; here CIFAR-10's are resized to 64 x 64. Cost and results
measured here are in docs/as_vit.md.

    python -m experiments.search --config=configs/asvit_cifar10.py --workdir=runs/seed \
        --config.data_dir=DIR --config.strategy_options.steps=100
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from configs import tegnas_nas_bench_201


def get_config() -> ConfigDict:
    """What differs from `tegnas_nas_bench_201`."""
    config = tegnas_nas_bench_201.get_config().unlock()
    config.space = "as_vit"
    config.preset = "as_vit"
    config.metrics = placeholder(tuple)  # names of the scores (κ of features, length distortion)
    config.batch_size = placeholder(int)  # images N of the kernel (16)
    config.size = 64
    config.strategy_options.learning_rate = 0.08
    config.strategy_options.window = 20
    config.cpu_devices = 1  # a topology at a time, on all cores
    config.budget.size = placeholder(str)  # of the network that is timed, such as hidden=64
    return config.lock()
