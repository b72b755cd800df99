"""What a training shows while it goes on."""

import contextlib
import sys
from collections.abc import Iterator, Mapping

from tqdm import tqdm

from tenas_jax.train.hooks import Progress


@contextlib.contextmanager
def bar(*, shown: bool = True) -> Iterator[Progress]:
    """Yields a `hooks.Progress` that draws on standard error, if it is shown."""
    line: tqdm | None = None
    current = None

    def progress(epoch: int, done: int, total: int) -> None:
        nonlocal line, current
        if epoch != current:
            if line is not None:
                line.close()
            line = tqdm(
                total=total, desc=f"epoch {epoch}", unit="step", leave=False, disable=not shown
            )
            current = epoch
        line.update(done - line.n)

    try:
        yield progress
    finally:
        if line is not None:
            line.close()


def show(record: Mapping, epochs: int) -> None:
    """Writes one line about an epoch to standard error, above the line of progress."""
    words = f"epoch {record['epoch']} of {epochs}: training loss {record['train_loss']:.4f}"
    if record["test_top1"] is not None:
        words += f", test top-1 {100 * record['test_top1']:.2f} %"
    tqdm.write(f"{words}, {record['seconds']:.1f} s", file=sys.stderr)
