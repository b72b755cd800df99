"""Kinds of operations, read off the text of programs, and a trace of one."""

import jax
import jax.numpy as jnp

from experiments.measure.profile import KINDS, operation_kinds, seconds_by_kind

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
    found = seconds_by_kind(lambda: compiled(a), compiled.as_text(), str(tmp_path))
    assert found["products"] > 0
    assert found.keys() <= {*(kind for _, kind in KINDS), "elementwise"}
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert list(tmp_path.rglob("*.xplane.pb"))  # kept where a folder is given
