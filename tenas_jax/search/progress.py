"""A progress line with a time estimate."""

import contextlib
from collections.abc import Iterator

from tqdm import tqdm


@contextlib.contextmanager
def bar(*, shown: bool = True) -> Iterator:
    """Yields a `loop.Progress` that draws one line a round on standard error, if it is shown."""
    lines: dict[int, tqdm] = {}

    def progress(round_: int, scored: int, total: int) -> None:
        if round_ not in lines:
            for line in lines.values():
                line.close()
            lines[round_] = tqdm(
                total=total, desc=f"round {round_}", unit="network", disable=not shown
            )
        line = lines[round_]
        line.update(scored - line.n)

    try:
        yield progress
    finally:
        for line in lines.values():
            line.close()
