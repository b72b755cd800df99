"""A strategy and an evaluator by arithmetic, and deaths of the process that runs them."""

import contextlib
import types

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.runs.listeners import Listener
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.scores import Score
from tenas_jax.search import search

SPACE = spaces.get("nas_bench_201")
ROUNDS, PER_ROUND = 3, 4
FILES = ("records.jsonl", "rounds.jsonl", "checkpoint.json")


class Walk:
    """A strategy of a few rounds whose masks depend on the scores it was told."""

    def __init__(self):
        self.round, self.start, self.heard, self.history = 0, 0, [], []

    @property
    def done(self) -> bool:
        return self.round == ROUNDS

    @property
    def result(self):
        return SPACE.from_index(self.start) if self.done else None

    def ask(self):
        return [SPACE.to_mask(SPACE.from_index(self.start + i)) for i in range(PER_ROUND)]

    def tell(self, scores):
        self.heard += [score.mean("m") for score in scores]
        self.start += 1 + int(self.heard[-1]) % 7
        self.history.append({"round": self.round, "last": self.heard[-1] / 3})
        self.round += 1

    def state(self):
        return {"round": self.round, "start": self.start}

    def restore(self, state, past):
        self.round, self.start, self.history = state["round"], state["start"], list(past.rounds)
        self.heard = [record.score.mean("m") for record in past.records]


class Killed(Exception):
    """Stands for the death of the process."""


class Counting:
    """An evaluator that scores by arithmetic, and dies after some scores."""

    space, engine = SPACE, "none"

    def __init__(self, dies_after: int | None = None):
        self.calls, self.dies_after = 0, dies_after

    def key(self, mask) -> str:
        return str(np.flatnonzero(mask).tolist())

    protocol = types.SimpleNamespace(metrics=("m",))

    def score(self, masks, draw, known, *, metrics, gradients):
        assert metrics == ("m",) and not gradients
        for i, mask in enumerate(masks):
            key = self.key(mask)
            if key in known:
                yield i, key, known[key], False
                continue
            if self.calls == self.dies_after:
                raise Killed
            self.calls += 1
            value = float(np.flatnonzero(mask).sum() * (draw + 1) + i)
            yield i, key, Score({"m": np.array([value])}, {"m": ["ok"]}, 0.5), True


class Seen(Listener):
    """Keeps what it hears of."""

    def __init__(self):
        self.progress, self.scores, self.rounds = [], [], []

    def on_progress(self, *heard):
        self.progress.append(heard)

    def on_score(self, number, record):
        self.scores.append((number, record["round"]))

    def on_round(self, number, entry):
        self.rounds.append((number, entry))


def run(folder, evaluator, listener=None, strategy=None) -> Walk:
    strategy = strategy or Walk()
    with Workdir.open(folder, {"a": 1}) as workdir:
        search(strategy, evaluator, workdir, listener)
    return strategy


def files(folder) -> dict[str, bytes]:
    """What a run keeps, by name."""
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


WRITES = ("append", "append_round", "save_checkpoint")


@contextlib.contextmanager
def dying(number, *, after):
    """While inside, a run dies at the write of this number, before it or after it is on the disk.

    Writes are those of records, lines of rounds and checkpoints.
    """
    left = iter(range(number))
    with pytest.MonkeyPatch.context() as patch:
        for name in WRITES:
            write = getattr(Workdir, name)

            def one(self, value, write=write):
                dies = next(left, None) is None
                if not dies or after:
                    write(self, value)
                if dies:
                    raise Killed

            patch.setattr(Workdir, name, one)
        yield
