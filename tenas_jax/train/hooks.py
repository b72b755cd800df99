"""What a training does besides training."""

import dataclasses
from collections.abc import Callable, Mapping

Progress = Callable[[int, int, int], None]  # epoch from 1, steps done in it, of how many


@dataclasses.dataclass(frozen=True)
class Hooks:
    """What a training does besides, and when.

    Attributes:
        checkpoint_every: steps between two checkpoints; None: only at the end of each epoch.
        on_record: called with every record that is written.
        progress: called when steps are done.
    """

    checkpoint_every: int | None = None
    on_record: Callable[[Mapping], None] = lambda record: None
    progress: Progress = lambda epoch, done, total: None
