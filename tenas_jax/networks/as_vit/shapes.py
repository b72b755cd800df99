"""What follows from the topology and the sizes of a vision transformer of As-ViT by arithmetic.

Sizes that make no network and images that do not fit are refused; parameters and multiply-adds are
counted in closed form.
"""

from tenas_jax.errors import UserError, shorten
from tenas_jax.spaces.as_vit.sizes import Sizes
from tenas_jax.spaces.as_vit.space import STAGES, STRIDES, Topology


def check_heads(topology: Topology, sizes: Sizes) -> None:
    """Raises a `UserError` unless sizes are numbers and stages have no more heads than channels."""
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
    """Raises a `UserError` unless strides and splits divide the sides of images, and of tokens.

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


def parameters(topology: Topology, sizes: Sizes, *, classes: int = 1000, channels: int = 3) -> int:
    """Counts the numbers that the network's weights are; the size of images plays no part.

    Args:
        topology: of the network.
        sizes: its depths and width.
        classes: how many.
        channels: of the images.
    """
    before, total = channels, 0
    for stage, width in enumerate(sizes.widths):
        taps = topology.kernels[stage] ** 2 * before
        total += taps * width + (3 * width if stage == 0 else 2 * taps)
        inner = width // topology.stage_heads[stage] * topology.stage_heads[stage]
        hidden = topology.ratios[stage] * width
        attention = width * 3 * inner + 3 * inner + inner * width + width
        mlp = 2 * width * hidden + hidden + width
        total += sizes.depths[stage] * (4 * width + attention + mlp)
        before = width
    return total + 2 * before + before * (before + 1) + (before + 1) * classes


def multiply_adds(
    topology: Topology,
    sizes: Sizes,
    sides: tuple[int, int],
    *,
    classes: int = 1000,
    channels: int = 3,
    coarse: int = 1,
) -> int:
    """Counts the multiply-adds of all matrix products for one image, those of attention too.

    Args:
        topology: of the network.
        sizes: its depths and width.
        sides: height and width of the image.
        classes: how many.
        channels: of the image.
        coarse: how many times larger the sides of tokens are.
    """
    grid, before, total = [side // (STRIDES[0] * coarse) for side in sides], channels, 0
    for stage, width in enumerate(sizes.widths):
        tokens = grid[0] * grid[1]
        total += tokens * topology.kernels[stage] ** 2 * before * width
        inner = width // topology.stage_heads[stage] * topology.stage_heads[stage]
        window = tokens // topology.splits[stage] ** 2
        block = 4 * width * inner + 2 * topology.ratios[stage] * width**2 + 2 * window * inner
        total += sizes.depths[stage] * tokens * block
        grid, before = [side // 2 for side in grid], width
    return total + before * (before + classes)
