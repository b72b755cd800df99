"""Seconds by a clock that the test moves, peaks of memory, and kinds of operations."""

import itertools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from experiments.measure import timing
from experiments.measure.timing import KINDS, operation_kinds, seconds_by_kind

TEXT = """HloModule jit_f

%fused_computation (p: f32[4,4], q: f32[4,4]) -> f32[4,4] {
  %p = f32[4,4]{1,0} parameter(0)
  %q = f32[4,4]{1,0} parameter(1)
  %moved = f32[4,4]{1,0} pad(%p), padding=0_0x0_0
  ROOT %inner.1 = f32[4,4]{1,0} dot(%moved, %q), lhs_contracting_dims={1}
}

%body (s: f32[4,4]) -> f32[4,4] {
  %s = f32[4,4]{1,0} parameter(0)
  ROOT %turned = f32[4,4]{0,1} transpose(%s), dimensions={1,0}
}

ENTRY %main (x: f32[4,4]) -> f32[4,4] {
  %x = f32[4,4]{1,0} parameter(0)
  %fusion.2 = f32[4,4]{1,0} fusion(%x, %x), kind=kCustom, calls=%fused_computation
  %loop = f32[4,4]{1,0} while(%fusion.2), condition=%c, body=%body
  %sum.3 = f32[4]{0} reduce(%loop, %x), dimensions={0}, to_apply=%add
  ROOT %twice = f32[4,4]{1,0} add(%loop, %loop)
}
"""


def test_each_run_is_timed_by_itself_after_the_warm_up():
    now, calls = [100.0], []
    lasts = {0: 50.0, 1: 50.0, 2: 3.0, 3: 1.0, 4: 2.5}

    def run(number):
        calls.append(number)
        now[0] += lasts[number]
        return 10 * number

    seen = timing.timed(run, 3, warm_up=2, clock=lambda: now[0])
    assert calls == [0, 1, 2, 3, 4]
    assert seen == timing.Timing((3.0, 1.0, 2.5), 40)
    assert seen.median == 2.5


def test_a_cold_run_is_timed_at_once():
    seen = timing.timed(lambda number: number, 1, warm_up=0, clock=itertools.count().__next__)
    assert seen == timing.Timing((1,), 0)


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


def test_a_fusion_is_what_it_holds_and_a_loop_is_its_parts():
    kinds = operation_kinds(TEXT)
    assert kinds["fusion.2"] == "products"
    assert kinds["turned"] == "copies and transposes"
    assert kinds["sum.3"] == "reductions"
    assert kinds["twice"] == "elementwise"
    assert not {"loop", "x", "p", "s"} & kinds.keys()


def test_the_time_of_a_program_is_told_by_kind(tmp_path):
    a = jnp.ones((200, 200))
    compiled = jax.jit(lambda a: jnp.sin(a @ a).sum(0)).lower(a).compile()
    seconds = seconds_by_kind(lambda: compiled(a), compiled.as_text(), str(tmp_path))
    assert seconds["products"] > 0
    assert seconds.keys() <= {*(kind for _, kind in KINDS), "elementwise"}
    assert list(seconds.values()) == sorted(seconds.values(), reverse=True)
    assert list(tmp_path.rglob("*.xplane.pb"))  # kept where a folder is given
