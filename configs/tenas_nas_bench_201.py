"""TE-NAS on NAS-Bench-201: prune the supernet by κ and linear regions.

Chen, Gong and Wang, 2021, arXiv:2102.11535, with the released program's settings (preset
`reference`): 3 repeats of N = 72 images, 54 removals scored. Cost and results measured here are in
the README.

    python -m experiments.search --config=configs/tenas_nas_bench_201.py --workdir=runs/cifar10 \
        --config.data=cifar10 --config.data_dir=DIR --config.seed=1
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from configs.metric_options import metric_options


def get_config() -> ConfigDict:
    """The default configuration; a field that is None takes the preset's value."""
    config = ConfigDict()
    config.space = "nas_bench_201"  # what is searched: a name in tenas_jax.spaces.SPACES
    config.strategy = "pruning"  # how: a name in tenas_jax.search.STRATEGIES
    options = config.strategy_options = ConfigDict()  # the strategy's own
    options.per_round = placeholder(int)  # operations pruned on an edge and round (pruning: 1)
    config.preset = "reference"  # `reference` (the released program) or `paper`
    config.seed = 0  # of weights and batches
    config.data = "cifar10"  # photos, cifar10, any TFDS name, a file.npz, a folder
    config.split = "train"  # which part of the data batches are drawn from
    config.data_dir = placeholder(str)  # TFDS folder; None is TFDS's own default
    config.size = placeholder(int)  # side that images are resized to; None leaves them
    config.limit = placeholder(int)  # examples read from the data; None reads all
    config.metrics = placeholder(tuple)  # names whose ranks are summed; None: κ and regions
    config.batch_size = placeholder(int)  # images N of the kernel (reference 72, paper 32)
    config.repeats = placeholder(int)  # batches that a score is averaged over (3)
    config.redraw_weights = placeholder(bool)  # new weights each repeat (reference no, paper yes)
    config.initialiser = placeholder(str)  # of the kernels: a name in networks.INITIALISERS
    config.network = placeholder(str)  # of the space: scored, published, testing (scored)
    config.options = metric_options()  # metrics' own, as options.linear_regions.batch_size=5000
    config.augment = placeholder(bool)  # random flips and shifts of the images (yes)
    config.engine = placeholder(str)  # jacobian, neural_tangents or auto
    config.chunk = placeholder(int)  # cotangents in memory at a time; None: what fits
    budget = config.budget = ConfigDict()  # what an architecture may cost; None limits nothing
    budget.parameters = placeholder(float)  # of the derived network in full size, such as 5e5
    budget.multiply_adds = placeholder(float)  # of it, for an image of 32 x 32, such as 1e8
    budget.milliseconds = placeholder(float)  # of its forward pass, measured on this device
    budget.batch = 1  # images at a time of the pass that is timed
    budget.size = placeholder(str)  # of the network that is timed, such as channels=8,depth=1
    config.tensorboard = False  # event files for TensorBoard in the workdir?
    config.cpu_devices = 2  # networks scored side by side on CPU, each in its own memory
    config.benchmark_table = placeholder(str)  # CSV of published accuracies, shown at the end
    return config.lock()
