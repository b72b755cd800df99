"""Depth and width of a vision transformer beside its topology (Chen et al., arXiv:2202.11921).

A string with sizes has the blocks of each stage after its expansion, and the width of the first
stage after the heads: `K,S,E,L|K,S,E,L|K,S,E,L|K,S,E,L|heads,hidden`. A stage is twice as wide as
the one before, up to 1024.
"""

from typing import NamedTuple

from tenas_jax.errors import UserError, shorten

STAGES = 4
WIDEST = 1024
EXAMPLE = "8,2,3,5|4,1,2,2|4,1,4,5|4,1,6,2|32,180"  # As-ViT Large


class Sizes(NamedTuple):
    """Holds depth and width.

    Attributes:
        depths: blocks of each stage.
        hidden: width of the first stage.
    """

    depths: tuple[int, ...] = (1,) * STAGES
    hidden: int = 32

    @property
    def widths(self) -> tuple[int, ...]:
        """Returns the width of each stage."""
        return tuple(min(WIDEST, self.hidden * 2**stage) for stage in range(STAGES))


def split(string: str) -> tuple[str, Sizes | None]:
    """Splits a string into its topology and the sizes that it has, None where it has none.

    Raises:
        UserError: it has some of the sizes alone, or one is no whole number from 1.
    """
    if not isinstance(string, str):
        return string, None
    parts = [part.split(",") for part in string.split("|")]
    lengths = [len(part) for part in parts]
    if lengths != [4] * STAGES + [2]:
        if set(lengths) & {4} or (len(parts) == STAGES + 1 and lengths[-1] == 2):
            raise UserError(f"{shorten(string)} has some sizes and not all; with all: {EXAMPLE}")
        return string, None
    numbers = []
    for what, text in [*((f"L{n}", part[3]) for n, part in enumerate(parts[:-1], 1)),
                       ("hidden", parts[-1][1])]:  # fmt: skip
        if not text.strip().isdecimal() or int(text) < 1:
            raise UserError(f"{shorten(string)}: {what} is {text!r}; valid: whole numbers from 1")
        numbers.append(int(text))
    topology = "|".join([*(",".join(part[:3]) for part in parts[:-1]), parts[-1][0]])
    return topology, Sizes(tuple(numbers[:-1]), numbers[-1])


def join(topology: str, sizes: Sizes) -> str:
    """Writes the string of a topology with sizes."""
    *stages, heads = topology.split("|")
    with_depths = [f"{stage},{depth}" for stage, depth in zip(stages, sizes.depths, strict=True)]
    return "|".join([*with_depths, f"{heads},{sizes.hidden}"])
