"""Seconds by a clock that the test moves, and peaks of memory."""

import itertools
from types import SimpleNamespace

import numpy as np

from experiments.measure import timing


def test_each_run_is_timed_by_itself_after_the_warm_up():
    now, calls = [100.0], []
    lasts = {0: 50.0, 1: 50.0, 2: 3.0, 3: 1.0, 4: 2.5}

    def run(number):
        calls.append(number)
        now[0] += lasts[number]
        return 10 * number

    found = timing.timed(run, 3, warm_up=2, clock=lambda: now[0])
    assert calls == [0, 1, 2, 3, 4]
    assert found == timing.Timing((3.0, 1.0, 2.5), 40)
    assert found.median == 2.5


def test_a_cold_run_is_timed_at_once():
    found = timing.timed(lambda number: number, 1, warm_up=0, clock=itertools.count().__next__)
    assert found == timing.Timing((1,), 0)


def test_arrays_are_waited_for_before_the_clock_is_read():
    waited = []

    class Array:
        def block_until_ready(self):
            waited.append(len(waited))
            return self

    def clock():
        return float(len(waited))

    assert timing.timed(lambda _: Array(), 2, clock=clock).seconds == (1.0, 1.0)


def test_the_process_says_its_peak_in_mib():
    held = np.ones(2**23)  # 64 MiB
    assert held.nbytes / 2**20 < timing.process_peak_mib() < 10**6


def test_where_linux_does_not_say_the_system_is_asked(tmp_path):
    status = tmp_path / "status"
    status.write_text("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\n")
    assert timing.process_peak_mib(status) == 2.0
    for text in (None, "Name:\tx\n"):
        path = tmp_path / str(text)[:4]
        if text:
            path.write_text(text)
        assert 10 < timing.process_peak_mib(path) < 10**6


def device(**stats):
    return SimpleNamespace(platform="gpu", memory_stats=lambda: stats or None)


def test_an_accelerators_peak_is_that_of_the_fullest():
    some = [device(peak_bytes_in_use=2**20), device(peak_bytes_in_use=3 * 2**20)]
    assert timing.peak_mib(some) == 3.0
    assert timing.peak_mib([*some, device()]) is None


def test_a_cpus_peak_is_the_processs():
    assert timing.peak_mib([SimpleNamespace(platform="cpu")]) > 10
