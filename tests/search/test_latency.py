"""The stopwatch: medians by a clock of our own, and that a file says what was decided by."""

import itertools
import json

import jax
import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.search.latency import LATENCIES, RUNS, Stopwatch, read_size

SPACE = spaces.get("nas_bench_201")
SMALL = {
    "nas_bench_201": dict(channels=2, depth=1),
    "darts": dict(channels=2, depth=1),
    "as_vit": dict(hidden=8),
}
ARCHS = SPACE.sample(np.random.default_rng(0), 3)

pytestmark = pytest.mark.usefixtures("quick_compilation")


class Fake(Stopwatch):
    """Networks take the sum of their operations' numbers."""

    measured = 0

    def _measure(self, arch):
        self.measured += 1
        return 0.5 + float(np.sum(arch))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", spaces.SPACES)
def test_networks_of_every_space_take_some_time(name):
    space = spaces.get(name)
    stopwatch = Stopwatch(space, batch=2, size=SMALL[name])
    arch = space.from_index(space.size // 2)
    first = stopwatch.milliseconds(arch)
    assert 0 < first < 10_000 and stopwatch.milliseconds(arch) == first


def test_the_median_of_the_runs_without_the_one_that_compiles():
    """Runs of 1, 2, ..., 9 and 1000 seconds: the median is 5.5."""
    ends = [*range(1, RUNS), 1000]
    ticks = iter(list(itertools.chain.from_iterable((0.0, end) for end in ends)))
    stopwatch = Stopwatch(SPACE, size=SMALL["nas_bench_201"], clock=lambda: next(ticks))
    assert stopwatch.milliseconds(ARCHS[0]) == 5500.0
    assert next(ticks, None) is None


def test_the_network_runs_on_so_many_images_and_gives_numbers(monkeypatch):
    shapes, wait = [], jax.block_until_ready

    def block(value):
        shapes.append((value.shape, bool(np.isfinite(value).all())))
        return wait(value)

    monkeypatch.setattr(jax, "block_until_ready", block)
    Stopwatch(SPACE, batch=3, size=SMALL["nas_bench_201"]).milliseconds(ARCHS[0])
    assert shapes == [((3, 10), True)] * (RUNS + 1)


def test_nothing_is_written_before_it_is_kept_and_then_all_at_once(tmp_path):
    path = tmp_path / "run" / LATENCIES
    stopwatch = Fake(SPACE, path=path)
    assert stopwatch.milliseconds(ARCHS[0]) == 0.5 + ARCHS[0].sum()
    assert not path.parent.exists()
    path.parent.mkdir()
    stopwatch.keep()
    assert len(lines(path)) == 1
    stopwatch.milliseconds(ARCHS[1])
    stopwatch.milliseconds(ARCHS[0])
    stopwatch.keep()
    wanted = [(SPACE.to_string(arch), 0.5 + arch.sum()) for arch in ARCHS[:2]]
    assert [(line["arch"], line["milliseconds"]) for line in lines(path)] == wanted
    assert all(line["device"] == jax.devices()[0].device_kind for line in lines(path))


def test_a_file_decides_before_the_clock(tmp_path):
    path = tmp_path / LATENCIES
    path.write_text(json.dumps({"arch": SPACE.to_string(ARCHS[0]), "milliseconds": 77}) + "\n{")
    stopwatch = Fake(SPACE, path=path)
    assert stopwatch.milliseconds(ARCHS[0]) == 77 and stopwatch.measured == 0
    assert path.read_text().endswith("\n{")  # until it is kept the file is another's
    stopwatch.milliseconds(ARCHS[1])
    stopwatch.keep()
    assert [line["milliseconds"] for line in lines(path)] == [77, 0.5 + ARCHS[1].sum()]
    again = Fake(SPACE, path=path)
    assert [again.milliseconds(arch) for arch in ARCHS[:2]] == [77, 0.5 + ARCHS[1].sum()]
    assert again.measured == 0


def test_without_a_path_times_are_in_memory():
    stopwatch = Fake(SPACE)
    stopwatch.keep()
    assert [stopwatch.milliseconds(ARCHS[0]) for _ in range(3)] and stopwatch.measured == 1


@pytest.mark.parametrize(
    "line",
    [{}, {"arch": "x"}, {"arch": 1, "milliseconds": 1.0}, {"arch": "x", "milliseconds": None}],
)
def test_a_file_of_something_else(tmp_path, line):
    path = tmp_path / LATENCIES
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(UserError, match="latencies.jsonl, line 1: no architecture with millisec"):
        Stopwatch(SPACE, path=path)


@pytest.mark.parametrize("batch", [0, -1, 1.5, True, "2"])
def test_batches_that_are_none(batch):
    with pytest.raises(UserError, match="batch is .*; valid: whole numbers from 1"):
        Stopwatch(SPACE, batch=batch)


@pytest.mark.parametrize(
    ("space", "size", "mistake"),
    [
        ("nas_bench_201", dict(chanels=3), "unknown size field of nas_bench_201 'chanels'"),
        ("nas_bench_201", dict(depth="x"), "depth is 'x'; valid: a whole number from 1"),
        ("darts", dict(channels=3), "channels is 3; valid: even numbers"),
        ("darts", dict(stem="cifer"), "unknown stem 'cifer'"),
    ],
)
def test_sizes_that_make_no_network_are_told_at_once(space, size, mistake):
    with pytest.raises(UserError, match=mistake):
        Stopwatch(spaces.get(space), size=size)


def test_a_size_is_read():
    assert read_size(None) == read_size("") == {}
    assert read_size("channels=8, depth = 1,stem=imagenet") == dict(
        channels=8, depth=1, stem="imagenet"
    )


@pytest.mark.parametrize("text", ["channels", "channels=", "=8", "channels=8,", ","])
def test_a_size_that_is_none(text):
    with pytest.raises(UserError, match="size is .*; valid: such as 'channels=8,depth=1'"):
        read_size(text)


def test_a_size_that_says_it_twice():
    with pytest.raises(UserError, match="has depth twice"):
        read_size("depth=1,depth=2")
