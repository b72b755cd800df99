"""Recipes: the values of the papers, and the values that are refused."""

import dataclasses
import importlib
import re
from pathlib import Path

import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.networks.as_vit.shapes import check_sides
from tenas_jax.train import Recipe
from tenas_jax.train.task import RECIPE, TASK, checked

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path.stem for path in (ROOT / "configs").glob("train_*.py"))
ARCHS = {
    "nas_bench_201": "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|",
    "darts": "Genotype(normal=[('skip_connect', 0), ('skip_connect', 1), ('skip_connect', 0),"
    " ('skip_connect', 1), ('skip_connect', 0), ('skip_connect', 1), ('skip_connect', 0),"
    " ('skip_connect', 1)], normal_concat=[2, 3, 4, 5], reduce=[('skip_connect', 0),"
    " ('skip_connect', 1), ('skip_connect', 0), ('skip_connect', 1), ('skip_connect', 0),"
    " ('skip_connect', 1), ('skip_connect', 0), ('skip_connect', 1)],"
    " reduce_concat=[2, 3, 4, 5])",
    "as_vit": None,  # its configs have one
}


def config(name):
    return importlib.import_module(f"configs.{name}").get_config().to_dict()


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_is_valid_and_has_the_same_fields(name):
    fields = config(name)
    assert sorted(fields) == sorted(TASK + RECIPE)
    checked({**fields, "arch": fields["arch"] or ARCHS[fields["space"]]})


def test_every_field_has_a_comment_in_its_line():
    text = (ROOT / "configs" / "train_nas_bench_201.py").read_text()
    lines = [line for line in text.splitlines() if re.match(r"    config\.\w+ = ", line)]
    assert len(lines) == len(TASK + RECIPE)
    assert all(re.search(r"  # \S", line) for line in lines)


def test_the_recipe_of_nas_bench_201():
    """Dong and Yang 2020, table 1."""
    expected = dict(
        optimizer="sgd", optimizer_options="momentum=0.9,nesterov=True", learning_rate=0.1,
        weight_decay=5e-4, epochs=200, batch_size=256, flip=True, pad=4, cutout=0, clip_norm=None,
        warmup_epochs=0, drop_path=0, label_smoothing=0, dtype="float32", space="nas_bench_201",
        network={"channels": 16, "depth": 5}, data="cifar10",
    )  # fmt: skip
    fields = config("train_nas_bench_201")
    assert {name: fields[name] for name in expected} == expected


def test_the_recipe_of_darts():
    """Liu, Simonyan and Yang 2019, appendix A.2."""
    expected = dict(
        optimizer="sgd", optimizer_options="momentum=0.9", learning_rate=0.025, weight_decay=3e-4,
        epochs=600, batch_size=96, flip=True, pad=4, cutout=16, clip_norm=5, auxiliary_weight=0.4,
        drop_path=0.2, label_smoothing=0, warmup_epochs=0, space="darts", data="cifar10",
        network={"channels": 36, "depth": 20, "auxiliary": True},
    )  # fmt: skip
    fields = config("train_darts_cifar10")
    assert {name: fields[name] for name in expected} == expected


def test_the_architecture_of_as_vit_large():
    """Chen et al. 2022, arXiv:2202.11921: 8,2,3,5|4,1,2,2|4,1,4,5|4,1,6,2|32,180."""
    fields = checked(config("train_as_vit_imagenet"))
    assert fields["arch"] == "8,2,3|4,1,2|4,1,4|4,1,6|32"
    assert fields["network"] == {"depths": [5, 2, 5, 2], "hidden": 180}
    assert (fields["data"], fields["size"], fields["epochs"]) == ("imagenet2012", 224, 300)


@pytest.mark.parametrize("name", [name for name in CONFIGS if "as_vit" in name])
def test_stages_of_coarse_tokens_fit_the_images(name):
    fields = checked(config(name))
    topology = spaces.get("as_vit").topology(spaces.get("as_vit").parse(fields["arch"]))
    assert not fields["drop_path_rises"]
    for factor in (1, *(factor for factor, _ in fields["coarse"])):
        check_sides(topology, (fields["size"],) * 2, factor)


def test_drop_path_rises_by_the_epoch():
    recipe = Recipe(epochs=4, batch_size=2, learning_rate=0.1, drop_path=0.2)
    assert [recipe.drop_path_at(i) for i in range(4)] == pytest.approx([0, 0.05, 0.1, 0.15])
    constant = dataclasses.replace(recipe, drop_path_rises=False)
    assert [constant.drop_path_at(i) for i in range(4)] == [0.2] * 4


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("epochs", 0, "epochs is 0; valid: a whole number from 1"),
        ("epochs", True, "epochs is True"),
        ("batch_size", 1, "batch_size is 1; valid: a whole number from 2"),
        ("learning_rate", 0, "learning_rate is 0; valid: a number above 0"),
        ("learning_rate", float("nan"), "learning_rate is nan"),
        ("weight_decay", -0.1, "weight_decay is -0.1; valid: a number from 0"),
        ("clip_norm", 0.0, "clip_norm is 0.0; valid: a number above 0, or None"),
        ("label_smoothing", 1.0, "label_smoothing is 1.0; valid: a number from 0 to below 1"),
        ("drop_path", 1.5, "drop_path is 1.5"),
        ("drop_path_rises", 0, "drop_path_rises is 0; valid: True, False"),
        ("mixup", -0.2, "mixup is -0.2; valid: a number from 0"),
        ("cutmix", float("inf"), "cutmix is inf; valid: a number from 0"),
        ("cutmix", True, "cutmix is True"),
        ("coarse", None, "coarse is None; valid: (factor, epochs) pairs"),
        ("flip", 1, "flip is 1; valid: True, False"),
        ("pad", -1, "pad is -1"),
        ("cutout", 2.5, "cutout is 2.5"),
        ("dtype", "bfloat", "unknown dtype 'bfloat' (did you mean 'bfloat16'?)"),
        ("warmup_epochs", 3, "warmup_epochs is 3; valid: less than the 3 epochs"),
        ("evaluate_every", 0, "evaluate_every is 0"),
    ],
)
def test_bad_values_are_named_with_the_valid_ones(field, value, words):
    with pytest.raises(UserError) as error:
        Recipe(**{"epochs": 3, "batch_size": 4, "learning_rate": 0.1, field: value})
    assert words in str(error.value)


def test_fields_that_are_missing_or_unknown():
    with pytest.raises(UserError, match="no field 'batch_size'"):
        Recipe.of({"epochs": 3, "learning_rate": 0.1})
    with pytest.raises(UserError, match="'epoch'.*did you mean 'epochs'"):
        Recipe.of({"epoch": 3, "batch_size": 2, "learning_rate": 0.1})
