"""The fields of configs that stand for metrics' own options."""

import pytest

from configs import asvit_cifar10, grow_asvit_cifar10, tegnas_nas_bench_201
from configs.metric_options import OWN, metric_options
from tenas_jax.metrics import METRICS
from tenas_jax.metrics.metric import SETTINGS
from tenas_jax.scoring.presets import protocol
from tenas_jax.search.task import given_options

ARRAYS = {"basis"}  # options that no command line can give


@pytest.mark.parametrize("name", METRICS)
def test_every_option_of_a_metric_is_a_field(name):
    fields = set(metric_options()[name]) - set(SETTINGS)
    assert fields == set(METRICS[name].options) - ARRAYS == set(OWN.get(name, {}))
    assert set(SETTINGS) <= set(metric_options()[name])


def test_fields_reach_the_protocol():
    config = tegnas_nas_bench_201.get_config()
    config.options.snip.batch_size, config.options.kernel_regression.ridge = 32, 0.5
    settings = protocol("reference", **given_options(config.options.to_dict()))
    assert settings.setting("snip", "batch_size") == 32
    assert settings.options_of("kernel_regression") == {"ridge": 0.5}
    assert given_options(None) == given_options(metric_options().to_dict()) == {}


@pytest.mark.parametrize("config", [asvit_cifar10, grow_asvit_cifar10])
def test_as_vit_has_them_too(config):
    assert "curve_points" in config.get_config().options.length_distortion
