"""A training as a config asks for it, and random architectures as large as its own."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from tenas_jax import data, spaces
from tenas_jax.data import Images
from tenas_jax.errors import UserError, shorten, unknown
from tenas_jax.networks.trained import count_parameters, size_fields
from tenas_jax.runs.json_values import plain
from tenas_jax.runs.layout import RESULT, folder
from tenas_jax.runs.tensorboard import check_tensorboard
from tenas_jax.runs.workdir import searched_arch
from tenas_jax.train.card import Card
from tenas_jax.train.loop import Training
from tenas_jax.train.recipe import Recipe

# Fields of a config that are not fields of a recipe.
TASK = ("space", "arch", "network", "seed", "data", "split", "test_split", "data_dir", "size",
        "limit", "test_limit", "checkpoint_every", "tensorboard", "cpu_devices")  # fmt: skip
# What does not change what is asked for.
IGNORED = ("data_dir", "checkpoint_every", "tensorboard", "cpu_devices")
# What trainings did before configs had these fields.
ADDED = {"mixup": 0.0, "cutmix": 0.0, "drop_path_rises": True, "coarse": ()}
RECIPE = tuple(field.name for field in dataclasses.fields(Recipe))
TOLERANCE = 0.05  # by how much of its parameters a random architecture of the same size may differ
TRIES = 2000


def checked(config: Mapping[str, Any], from_search: str | None = None) -> dict[str, Any]:
    """Returns a config with every field looked at, and the architecture as its space writes it.

    Sizes that the architecture's string holds become fields of `network`.

    Args:
        config: has the fields `TASK` and those of a recipe.
        from_search: the workdir of a finished search whose result is trained, instead of `arch`.

    Raises:
        UserError: a field is unknown, missing or bad; no architecture, or two different ones; sizes
            that are not those of `network`.
    """
    for name in config:
        if name not in TASK + RECIPE:
            raise unknown("config field", name, TASK + RECIPE)
    for name in TASK:
        if name not in config:
            raise UserError(f"the config has no field {name!r}; valid: {', '.join(TASK)}")
    network = config["network"]
    if not isinstance(network, Mapping):
        raise UserError(f"network is {shorten(network)}; valid: size fields of the network by name")
    for name in network:
        if name not in (valid := size_fields(config["space"])):
            raise unknown(f"size field of {config['space']}", name, valid)
    Recipe.of({name: value for name, value in config.items() if name not in TASK})
    every = config["checkpoint_every"]
    if every is not None and not (type(every) is int and every >= 1):
        raise UserError(f"checkpoint_every is {shorten(every)}; valid: whole numbers from 1, None")
    check_tensorboard(config["tensorboard"])
    # The architecture: of the config, of a search, or of both if they agree.
    space = spaces.get(config["space"])
    texts = [config["arch"]] if config["arch"] else []  # "" takes back what a config file says
    if from_search is not None:
        texts.append(searched_arch(from_search, space.name))
    if not texts:
        raise UserError("what to train is not said: give --config.arch=ARCH or --from_search=DIR")
    parsed = [space.parse_sized(text) for text in texts]
    archs, sizes = [space.to_string(arch) for arch, _ in parsed], [size for _, size in parsed]
    if archs != archs[:1] * len(archs) or sizes != sizes[:1] * len(sizes):
        raise UserError(f"config.arch is not what was found in {from_search}; give one of the two")
    return {**config, "arch": archs[0], "network": _sized(network, sizes[0])}


def _sized(network: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Joins size fields with those of an architecture's string; `UserError` where they differ."""
    for name, value in sizes.items():
        if name in network and plain(network[name]) != value:
            raise UserError(
                f"the architecture says that {name} is {value}, config.network {network[name]}; "
                f"give one of the two"
            )
    return {**network, **sizes}


def load_images(config: Mapping[str, Any]) -> tuple[Images, Images]:
    """Loads the images that a config names, to train on and to evaluate on.

    Raises:
        UserError: they cannot be read.
    """
    common = {"data_dir": config["data_dir"], "size": config["size"]}
    return (
        data.load(config["data"], config["split"], limit=config["limit"], **common),
        data.load(config["data"], config["test_split"], limit=config["test_limit"], **common),
    )


def prepared(config: Mapping[str, Any], train: Images, test: Images) -> Training:
    """Makes the training of a checked config.

    Raises:
        UserError: what `Training` raises.
    """
    card = Card.of(config["space"], config["arch"], config["network"], train)
    recipe = Recipe.of({name: value for name, value in config.items() if name in RECIPE})
    return Training(card, recipe, train, test, seed=config["seed"])


def is_finished(workdir: str | os.PathLike) -> bool:
    """Says whether a training in this folder, if there is any, has come to its end."""
    path: pathlib.Path = folder(workdir)
    return (path / RESULT).exists()


def parameters(card: Card) -> int:
    """Counts the parameters of a card's network; nothing is drawn."""
    module = card.module()
    shapes = jax.eval_shape(
        lambda key, images: module.init(key, images, train=False),
        jax.random.key(0),
        card.example(),
    )
    return count_parameters(shapes["params"])


def same_size(
    space: str, arch: str, network: Mapping[str, Any], images: Images, *, count: int, seed: int
) -> list[str]:
    """Draws architectures whose networks have as many parameters, within `TOLERANCE`.

    Uniform draws from the space, kept where their size and the images fit. None computes the same
    as `arch` or as another; some may be poor by construction, since nothing else is asked of them.

    Args:
        space: name of the space.
        arch: what they are compared with.
        network: the size fields of all the networks.
        images: what they will be trained on.
        count: how many.
        seed: of the draws.

    Raises:
        UserError: the space does not seem to have so many.
    """
    drawn_from, rng = spaces.get(space), np.random.default_rng(seed)
    wanted = parameters(Card.of(space, arch, network, images))
    seen = {drawn_from.canonical(drawn_from.parse(arch))}
    rivals: list[str] = []
    for _ in range(TRIES):
        if len(rivals) == count:
            return rivals
        other = drawn_from.sample(rng)
        form, text = drawn_from.canonical(other), drawn_from.to_string(other)
        if form in seen:
            continue
        try:
            size = parameters(Card.of(space, text, network, images))
        except UserError:  # a vision transformer whose windows do not divide these images' tokens
            continue
        if abs(size - wanted) <= TOLERANCE * wanted:
            seen.add(form)
            rivals.append(text)
    raise UserError(
        f"only {len(rivals)} of {count} random architectures with {wanted} parameters came up in "
        f"{TRIES} draws; ask for fewer"
    )
