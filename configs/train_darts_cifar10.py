"""Training of a DARTS genotype on CIFAR-10 as in the paper (20 cells, C = 36, 600 epochs).

Liu, Simonyan and Yang, 2019, arXiv:1806.09055, and its program: SGD with momentum 0.9, rate
0.025 falling along a cosine to 0, weight decay 3e-4, batches of 96, gradients clipped to norm 5, an
auxiliary head with weight 0.4, drop path rising to 0.2, random crops and flips, cutout of 16 x 16.
Its rate falls with every step here, with every epoch there.

    python -m experiments.train --config=configs/train_darts_cifar10.py --workdir=runs/darts \
        --from_search=runs/darts_search --config.data_dir=DIR

Cost: made for accelerators, and not run to its end here. On 2 cores (fifth-generation EPYC) a step
of DARTS's own cells took 43 s and compiling 51 s, so that 600 epochs of 50,000 images would take
five months.
"""

from ml_collections import ConfigDict

from configs import train_nas_bench_201


def get_config() -> ConfigDict:
    """What differs from `train_nas_bench_201`."""
    config = train_nas_bench_201.get_config()
    config.space = "darts"
    config.network = ConfigDict({"channels": 36, "depth": 20, "auxiliary": True})
    config.epochs = 600
    config.batch_size = 96
    config.optimizer_options = "momentum=0.9"
    config.learning_rate = 0.025
    config.weight_decay = 3e-4
    config.clip_norm = 5.0
    config.auxiliary_weight = 0.4
    config.drop_path = 0.2
    config.cutout = 16
    return config
