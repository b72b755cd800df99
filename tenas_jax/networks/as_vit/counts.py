"""Parameters and multiply-adds of a vision transformer of As-ViT, in closed form."""

from tenas_jax.spaces.as_vit.sizes import Sizes
from tenas_jax.spaces.as_vit.space import STRIDES, Topology


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
