"""Which architectures are scored, as their numbers in the space, and the scores of a few.

A number is an architecture's `Space.index`.
"""

import os
from collections.abc import Sequence

import numpy as np

from tenas_jax.errors import UserError, user_error
from tenas_jax.runs.listeners import Listener
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.recorder import Recorder
from tenas_jax.scoring.scores import Score
from tenas_jax.spaces import Space


def listed_numbers(path: str | os.PathLike, space: Space) -> list[int]:
    """Reads a text file of architectures, one a line; blank lines and # comments are ignored.

    Raises:
        UserError: the file cannot be read or holds none, a line is no architecture or one that
            came before, in this spelling or another; the line is named.
    """
    lines: dict[int, int] = {}
    with user_error("read", path), open(path, encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            text = line.partition("#")[0].strip()
            if not text:
                continue
            try:
                index = space.index(space.parse(text))
            except UserError as error:
                raise UserError(f"{path}, line {number}: {error}") from error
            if lines.setdefault(index, number) != number:
                raise UserError(f"{path}, line {number}: {text} is on line {lines[index]} already")
    if not lines:
        raise UserError(f"{path} holds no architecture; write one string a line")
    return list(lines)


def chosen_numbers(
    space: Space, path: str | os.PathLike | None, count: int | None, seed: int
) -> Sequence[int]:
    """Chooses those of a file, a random sample, or all in the order of their numbers.

    Args:
        space: what they belong to.
        path: a file for `listed_numbers`, or None.
        count: how many at random, or None.
        seed: of the random ones.

    Raises:
        UserError: both a file and a count, more than there are, or what `listed_numbers` raises.
    """
    if path is not None and count is not None:
        raise UserError("give a file of architectures or a count of random ones, not both")
    if path is not None:
        return listed_numbers(path, space)
    if count is None:
        return range(space.size)
    if not 0 < count <= space.size:
        raise UserError(f"count must be from 1 to {space.size}, not {count}")
    return space.sample_numbers(np.random.default_rng(seed), count)


def score_sample(
    evaluator: Evaluator,
    numbers: Sequence[int],
    workdir: Workdir,
    listener: Listener | None = None,
) -> list[Score]:
    """Scores some architectures, all in memory, but those that the workdir has recorded already.

    Args:
        evaluator: scores them.
        numbers: of the architectures, no more than fit in memory.
        workdir: open for this run.
        listener: hears of each.
    """
    recorder, space = Recorder(evaluator, workdir, listener), evaluator.space
    recorder.recall()
    return recorder.score_all("scoring", [space.to_mask(space.from_index(i)) for i in numbers])
