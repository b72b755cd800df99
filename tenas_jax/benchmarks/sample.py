"""Which architectures are scored, as their numbers in the space, and the scores of a few.

A number is an architecture's `Space.index`.
"""

import os
from collections.abc import Callable, Sequence

import numpy as np

from tenas_jax.errors import UserError, user_error
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.scores import Score
from tenas_jax.spaces import Space


def listed_numbers(path: str | os.PathLike, space: Space) -> list[int]:
    """The architectures of a text file, one string a line; blank lines and # comments are ignored.

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
    """Those of a file, a random sample of the space, or all in the order of their numbers.

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
    progress: Callable[[int, int, int], None],
) -> list[Score]:
    """Scores some architectures, all in memory, but those that the workdir has recorded already.

    Args:
        evaluator: scores them.
        numbers: of the architectures, no more than fit in memory.
        workdir: open for this run.
        progress: called after each with 0, how many are scored, and of how many.
    """
    space = evaluator.space
    known = {r["key"]: Score.from_record(r) for r in workdir.records()}
    archs = [space.from_index(i) for i in numbers]
    scores: list[Score] = [None] * len(archs)
    found = evaluator.score([space.to_mask(arch) for arch in archs], 0, known)
    for done, (i, key, score, new) in enumerate(found, 1):
        scores[i] = score
        if new:
            workdir.append(
                {
                    "arch": space.to_string(archs[i]),
                    "key": key,
                    "engine": evaluator.engine,
                    **score.to_record(),
                }
            )
        progress(0, done, len(archs))
    return scores
