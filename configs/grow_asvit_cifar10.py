"""As-ViT's growth of a seed topology, on CIFAR-10 resized to 64 x 64, up to 2 million parameters.

Chen et al., 2022, arXiv:2202.11921, scores as in `asvit_cifar10` (preset `as_vit`). What is scored
is what is grown (`scale` 1), from width 8. Cost and results measured here are in docs/as_vit.md.

    python -m experiments.grow --config=configs/grow_asvit_cifar10.py --workdir=runs/grown \
        --config.data_dir=DIR
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from configs.metric_options import metric_options


def get_config() -> ConfigDict:
    """The configuration; a field that is None takes the preset's value, but for `least`."""
    config = ConfigDict()
    config.space = "as_vit"  # always
    config.strategy = "growth"  # always
    config.topology = "8,2,3|4,1,2|4,1,4|4,1,6|32"  # what is grown: the published seed
    config.hidden = 8  # width of the first stage that is scored first
    config.depths = (1, 1, 1, 1)  # blocks of each stage at first
    config.scale = 1  # how many times wider the network in full is than what is scored
    config.ratios = (0.05, 0.1, 0.15, 0.2)  # by which a step widens the network
    config.classes = 10  # of the network in full
    config.least = placeholder(
        int
    )  # parameters in full at which it is grown; None: goes on to most
    config.most = 2_000_000  # parameters that no network in full exceeds
    config.preset = "as_vit"  # how networks are scored
    config.seed = 0  # of weights, batches and curves
    config.data = "cifar10"  # photos, cifar10, any TFDS name, a file.npz, a folder
    config.split = "train"  # which part of the data batches are drawn from
    config.data_dir = placeholder(str)  # TFDS folder; None is TFDS's own default
    config.size = 64  # side that images are resized to; None leaves them
    config.limit = placeholder(int)  # examples read from the data; None reads all
    config.metrics = placeholder(tuple)  # names whose ranks are summed (κ and length distortion)
    config.batch_size = placeholder(int)  # images N of the kernel (16)
    config.repeats = placeholder(int)  # networks that a score is averaged over (5)
    config.initialiser = placeholder(str)  # of dense kernels: in networks.INITIALISERS
    config.options = metric_options()  # metrics' own, as options.length_distortion.norms=sample
    config.engine = placeholder(str)  # jacobian, neural_tangents or auto
    config.chunk = placeholder(int)  # rows of the Jacobian in memory at a time; None: what fits
    config.tensorboard = False  # event files for TensorBoard in the workdir?
    config.cpu_devices = 2  # candidates scored side by side on CPU, each in its own memory
    return config.lock()
