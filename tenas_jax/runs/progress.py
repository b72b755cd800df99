"""A progress line with a time estimate."""

import contextlib
from collections.abc import Iterator

from tqdm import tqdm


@contextlib.contextmanager
def bar(*, shown: bool = True, name: str | None = None, unit: str = "network") -> Iterator:
    """Yields a `loop.Progress` that draws one line a round on standard error, if it is shown.

    Args:
        shown: whether anything is drawn.
        name: what stands before each line; by default the number of the round.
        unit: of what is counted.
    """
    lines: dict[int, tqdm] = {}

    def progress(round_: int, scored: int, total: int) -> None:
        if round_ not in lines:
            for line in lines.values():
                line.close()
            lines[round_] = tqdm(
                total=total, desc=name or f"round {round_}", unit=unit, disable=not shown
            )
        line = lines[round_]
        line.update(scored - line.n)

    try:
        yield progress
    finally:
        for line in lines.values():
            line.close()
