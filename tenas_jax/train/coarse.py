"""Progressive re-tokenisation: coarse tokens in the first part of a training, for less arithmetic.

The first projection of a vision transformer has a larger stride at first, dilated so that its
weights keep their shape (Chen et al. 2022, arXiv:2202.11921). An evaluation has the finest tokens.
"""

import inspect
from collections.abc import Mapping, Sequence

import flax.linen as nn

from tenas_jax.errors import UserError, shorten
from tenas_jax.networks.trained import count_macs

Stages = tuple[tuple[int, int], ...]  # (factor, epochs), in the order of the training

FORM = "(factor, epochs) pairs of whole numbers, factors from 2 and falling, as ((4, 40), (2, 70))"


def checked_stages(value: object, epochs: int) -> Stages:
    """Returns a recipe's stages as tuples, of lists too, as JSON and the command line have them.

    Args:
        value: any; () for none.
        epochs: of the whole training, of which some must be left at factor 1.

    Raises:
        UserError: no pairs of whole numbers, factors that do not fall, or too many epochs.
    """
    pairs = _pairs(value)
    if pairs is None:
        raise UserError(f"coarse is {shorten(value)}; valid: {FORM}, or ()")
    if any(after >= before for (before, _), (after, _) in zip(pairs, pairs[1:], strict=False)):
        raise UserError(f"coarse is {shorten(value)}, whose factors do not fall; valid: {FORM}")
    total = sum(length for _, length in pairs)
    if total >= epochs:
        raise UserError(
            f"coarse takes {total} epochs; valid: fewer than the {epochs} of the training"
        )
    return pairs


def factor_at(stages: Stages, epoch: int) -> int:
    """Returns how many times larger tokens' sides are in an epoch, the first of which is 0."""
    for factor, length in stages:
        if epoch < length:
            return factor
        epoch -= length
    return 1


def multiply_adds(module: nn.Module, image_shape: Sequence[int], stages: Stages) -> dict[int, int]:
    """Counts a network's multiply-adds for one image, forward, by factor; always that of 1.

    Args:
        module: a derived network.
        image_shape: (height, width, channels).
        stages: of the recipe.

    Raises:
        UserError: the network has no tokens, or does not take such images, or not with all factors.
    """
    counts = {1: count_macs(module, image_shape)}
    if not stages:
        return counts
    if "coarse" not in inspect.signature(type(module).__call__).parameters:
        raise UserError(
            f"coarse is {shorten(stages)}, but this network is no vision transformer; valid: ()"
        )
    for factor, _ in stages:
        try:
            counts[factor] = count_macs(module, image_shape, coarse=factor)
        except UserError as error:
            raise UserError(f"coarse has factor {factor}: {error}") from error
    return counts


def trained(
    by_factor: Mapping[int, int], stages: Stages, epochs: int, images: int
) -> tuple[int, float]:
    """Counts the multiply-adds of a whole training, forward alone.

    Args:
        by_factor: as `multiply_adds` gives it.
        stages: of the recipe.
        epochs: of the training.
        images: trained on in each.

    Returns:
        How many, and the share that is saved of what they would be with factor 1 in all epochs.
    """
    total = sum(by_factor[factor_at(stages, epoch)] for epoch in range(epochs))
    return images * total, 1 - total / (epochs * by_factor[1])


def _pairs(value: object) -> Stages | None:
    """Returns pairs of whole numbers, factors from 2 and epochs from 1, as tuples; else None."""
    if not isinstance(value, list | tuple):
        return None
    for pair in value:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            return None
        if any(type(number) is not int for number in pair) or pair[0] < 2 or pair[1] < 1:
            return None
    return tuple((factor, length) for factor, length in value)
