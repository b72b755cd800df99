"""What the tests of several pictures look at."""

from dataclasses import dataclass

import pytest

from tenas_jax import spaces
from tenas_jax.report.trajectory import of_rounds
from tenas_jax.scoring.recorder import recorded
from tenas_jax.spaces.as_vit.sizes import Sizes, join

SPACE = spaces.get("nas_bench_201")
METRICS = ("condition_number", "linear_regions", "kernel_regression")
# Of four architectures of NAS-Bench-201, of which the second has a bad kernel.
VALUES = {
    "condition_number": [400.0, None, 100.0, 50.0],
    "linear_regions": [10.0, 20.0, 30.0, 25.0],
    "kernel_regression": [0.9, None, 0.7, 0.8],
}
# What each strategy adds to its rounds, and to its own state.
OWN_NUMBERS = {
    "reinforce": {"entropy": [1.5, 1.0, 0.5], "reward": [None, 0.25, -0.5]},
    "evolution": {},
    "local_search": {"restarts": [0, 0, 1]},
    "nsga2": {},
}
COSTS = {"parameters": [1e6, 2e6, 4e6, 3e6], "multiply_adds": [5.0, 6.0, 8.0, 7.0]}


@pytest.fixture(params=OWN_NUMBERS)
def learner(request) -> str:
    """Each learning strategy's name."""
    return request.param


@dataclass
class Learned:
    """What is recorded of a search by a learning strategy.

    Attributes:
        lines: of `records.jsonl`.
        rounds: of `rounds.jsonl`.
        front: the strategy's own, of a search for one.
    """

    lines: list[dict]
    rounds: list[dict]
    front: list[int]

    @property
    def records(self) -> list:
        return list(recorded(self.lines, "run"))

    def way(self, metrics=METRICS):
        """As the report follows it."""
        return of_rounds(self.records, self.rounds, SPACE, metrics, self.front)


def score_line(index: int, values: dict, **beside) -> dict:
    """A record of an architecture of NAS-Bench-201, one repeat; None is a bad value."""
    mask = SPACE.to_mask(SPACE.from_index(index))
    scores = {
        name: {"values": [value], "flags": ["singular" if value is None else "ok"]}
        for name, value in values.items()
    }
    line = {"arch": SPACE.describe(mask), "encoding": mask.tolist(), "draw": 0, "key": str(index)}
    return {**line, "engine": "none", "scores": scores, "seconds": 0.5, **beside}


@pytest.fixture(name="score_line")
def give_score_line():
    """`(index, values, **beside) ->` a line of records."""
    return score_line


@pytest.fixture
def learned():
    """A function that gives what a learning strategy leaves: three rounds, four architectures."""

    def learned(strategy: str, metrics=METRICS, costs: bool = False, values=VALUES) -> Learned:
        counts = zip((2, 4, 6), (2, 3, 4), (0, 2, 2), (3.0, 2.0, 1.5), strict=True)
        rounds = [
            {"round": i, "steps": steps, "scored": scored, "best": best, "diversity": diversity}
            | dict.fromkeys(metrics)
            | {name: numbers[i] for name, numbers in OWN_NUMBERS[strategy].items()}
            for i, (steps, scored, best, diversity) in enumerate(counts)
        ]
        front = [2, 3] if strategy == "nsga2" else []
        if front and costs:
            for entry, new in zip(rounds, (slice(0, 2), slice(2, 3), slice(3, 4)), strict=True):
                entry["costs"] = {name: column[new] for name, column in COSTS.items()}
        lines = [
            score_line(index, {name: values[name][i] for name in metrics}, round=i)
            for i, index in enumerate((0, 25, 77, 300))
        ]
        return Learned(lines, rounds, front)

    return learned


TOPOLOGY = "8,2,3|4,1,2|4,1,4|4,1,6|32"
# (blocks, width, parameters, κ, length distortion, sum of ranks) of the candidates of two steps; of
# each step the one of the number beside them is taken.
STEPS = (
    (1, [((1, 2, 1, 1), 36, 1_250_000, 80.0, 1.5, 4), ((2, 1, 1, 1), 32, 1_500_000, 40.0, 3.0, 2),
         ((1, 1, 1, 2), 36, 2_000_000, None, 2.0, 5)]),
    (0, [((2, 1, 1, 2), 32, 3_000_000, None, 4.0, 3), ((2, 2, 1, 1), 36, 4_000_000, 60.0, 2.5, 3)]),
)  # fmt: skip


def candidate(depths, width, parameters, kappa, distortion, rank_sum) -> dict:
    """As a growth's history has it."""
    metrics = {"condition_number": kappa, "length_distortion": distortion}
    string, sizes = join(TOPOLOGY, Sizes(depths, width)), [*depths, width]
    own = {"string": string, "sizes": sizes, "parameters": parameters}
    return {**own, **metrics, "rank_sum": rank_sum}


@pytest.fixture
def grown() -> list[dict]:
    """The history of a growth by κ and length distortion; of two steps one has a bad κ."""
    history = []
    for chosen, others in STEPS:
        candidates = [candidate(*other) for other in others]
        history.append({**candidates[chosen], "chosen": chosen, "candidates": candidates})
    return history


def shown_texts(figure):
    """(text, box) of what is written beside the axes and inside of them; not ticks out of view."""
    texts = [figure._suptitle, *(t for legend in figure.legends for t in legend.get_texts())]
    for axes in figure.axes:
        if not axes.axison:
            continue
        texts += [axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
            texts += [label for at, label in ticks if low <= at <= high]
    return [(t.get_text(), t.get_window_extent()) for t in texts if t and t.get_text().strip()]


@pytest.fixture
def check_texts():
    """A function that fails where two texts of a figure meet, or one lies outside."""

    def check(figure):
        figure.canvas.draw()
        boxes = shown_texts(figure)
        width, height = figure.bbox.width, figure.bbox.height
        for i, (text, box) in enumerate(boxes):
            inside = 0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height
            assert inside, (text, box)
            for other, second in boxes[i + 1 :]:
                assert not box.overlaps(second), (text, other)

    return check
