"""Small networks for a few epochs on CIFAR-10: enough to tell architectures apart on a CPU.

The recipe of `train_nas_bench_201` with C = 8, N = 1, batches of 128 and 12 epochs, on all images.

    python -m experiments.compare --config=configs/train_small_cifar10.py --workdir=runs/compare \
        --from_search=runs/cifar10 --random=3 --config.data_dir=DIR

Cost: of all 50,000 images 39 s of processor time an epoch, with its evaluation, for an architecture
of three 3x3 and one 1x1 convolution, and 47 s for one of five 3x3, reckoned from 6,400 images; of
4,000 training and 2,000 test images 4 trainings took 3 minutes on 2 cores, and with
`--config.epochs=60`, which makes more of so few, 9. What they came to is in the README.
"""

from ml_collections import ConfigDict

from configs import train_nas_bench_201


def get_config() -> ConfigDict:
    """`train_nas_bench_201` with few channels and epochs."""
    config = train_nas_bench_201.get_config()
    config.network.channels = 8
    config.network.depth = 1
    config.epochs = 12
    config.batch_size = 128
    return config
