"""Metrics' own options and settings as fields of a config: `--config.options.NAME.OPTION=VALUE`."""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from tenas_jax.metrics import METRICS

# metric -> its options, and their types
OWN = {
    "linear_regions": {"pass_size": int},  # inputs that share batch statistics (1000)
    "kernel_regression": {
        "ridge": float,  # relative to the kernel's diagonal (0)
        "regression_weights": str,  # whose kernel: cells or all (cells)
    },
    **dict.fromkeys(
        ("length_distortion", "gauss_length", "extrinsic_curvature"),
        {"curve_points": int},  # points of a curve of images (10)
    ),
}


def metric_options() -> ConfigDict:
    """Returns a field for each option of each metric; None leaves what preset or metric have."""
    options = ConfigDict()
    for name in METRICS:
        own = options[name] = ConfigDict()
        own.network = placeholder(str)  # of the space: scored, published, … (the config's)
        own.outputs = placeholder(str)  # logits or features (the metric's, or the space's own)
        own.norms = placeholder(str)  # on, frozen, sample, identity (the space's own)
        own.initialiser = placeholder(str)  # a name in networks.INITIALISERS (the config's)
        own.batch_size = placeholder(int)  # examples (the metric's, or the config's)
        own.repeats = placeholder(int)  # batches that are averaged (the metric's, or the config's)
        for option, kind in OWN.get(name, {}).items():
            own[option] = placeholder(kind)
    return options
