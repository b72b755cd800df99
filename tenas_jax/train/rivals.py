"""Random architectures as large as a given one, to compare it with."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from tenas_jax import spaces
from tenas_jax.data import Images
from tenas_jax.errors import UserError
from tenas_jax.networks.trained import count_parameters
from tenas_jax.train.card import Card

TOLERANCE = 0.05  # by how much of its parameters a rival may differ
TRIES = 2000


def parameters(card: Card) -> int:
    """How many parameters the network of a card has; nothing is drawn."""
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
    """Random architectures whose networks have as many parameters, within `TOLERANCE`.

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
    found: list[str] = []
    for _ in range(TRIES):
        if len(found) == count:
            return found
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
            found.append(text)
    raise UserError(
        f"only {len(found)} of {count} random architectures with {wanted} parameters came up in "
        f"{TRIES} draws; ask for fewer"
    )
