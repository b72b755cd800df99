"""What vision transformers of As-ViT refuse: sizes that make no network, images that do not fit."""

from tenas_jax.errors import UserError, shorten
from tenas_jax.spaces.as_vit.sizes import Sizes
from tenas_jax.spaces.as_vit.space import STAGES, STRIDES, Topology


def check_heads(topology: Topology, sizes: Sizes) -> None:
    """`UserError` unless sizes are whole numbers from 1, and each stage as wide as it has heads."""
    if len(sizes.depths) != STAGES:
        raise UserError(f"depths are {shorten(sizes.depths)}; valid: {STAGES} of them")
    for what, value in [*(("depths", depth) for depth in sizes.depths), ("hidden", sizes.hidden)]:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UserError(f"{what} has {shorten(value)}; valid: whole numbers from 1")
    for number, (width, heads) in enumerate(
        zip(sizes.widths, topology.stage_heads, strict=True), 1
    ):
        if width < heads:
            raise UserError(
                f"stage {number} has {width} channels, fewer than its {heads} heads; "
                f"valid: a hidden width from {-(-heads // 2 ** (number - 1))}"
            )


def check_sides(topology: Topology, sides: tuple[int, int], coarse: int = 1) -> None:
    """`UserError` unless strides and splits divide the sides of images, and of tokens.

    Args:
        topology: of the network.
        sides: height and width of the images.
        coarse: as for the network.
    """
    size = " x ".join(map(str, sides))
    if isinstance(coarse, bool) or not isinstance(coarse, int) or coarse < 1:
        raise UserError(f"coarse is {shorten(coarse)}; valid: whole numbers from 1")
    stride = STRIDES[0] * coarse
    if any(side % stride or not side for side in sides):
        raise UserError(f"images of {size} do not fit; valid: multiples of the stride {stride}")
    for number, split in enumerate(topology.splits):
        tokens = [side // stride // 2**number for side in sides]
        if not all(tokens):
            raise UserError(
                f"images of {size} are too small: stage {number + 1} has no token; "
                f"valid: sides from {stride * 2 ** (STAGES - 1)}"
            )
        if any(side % split for side in tokens):
            raise UserError(
                f"S{number + 1} is {split}, but images of {size} have {tokens[0]} x {tokens[1]} "
                f"tokens in stage {number + 1}: windows must divide them"
            )
