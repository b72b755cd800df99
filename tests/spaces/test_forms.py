"""Sums of terms as text: what the order hides, and what weights used twice show."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tenas_jax.spaces.forms import least_text

X = ("0",)


def conv(edge, source=X):
    return ("conv", edge, source)


def pool(source=X):
    return ("pool", None, source)


def test_texts_by_hand():
    assert least_text([()]) == "zero" and least_text([X]) == "0"
    assert least_text([("0", "0")]) == "0+0"
    assert least_text([(conv((1, 0)), "0")]) == "(0)@conv+0"
    assert least_text([(pool((pool(),)),)]) == "((0)@pool)@pool"
    assert least_text([("b",), ("a",)]) == "a, b"


def test_two_weights_are_told_from_one_used_twice():
    one, other = conv((1, 0)), conv((2, 0))
    assert least_text([(one, one)]) == "(0)@conv+(0)@conv"
    assert least_text([(one, other)]) == "(0)@conv:1+(0)@conv:2"
    assert least_text([(pool(), pool())]) == "(0)@pool+(0)@pool"


def test_which_of_two_weights_is_the_first_does_not_matter():
    one, other = conv((1, 0)), conv((2, 0))
    assert least_text([(one,), (other, "0")]) == least_text([(other,), (one, "0")])
    assert least_text([(one,), (one, other)]) == least_text([(other,), (other, one)])
    assert least_text([(one,), (one, "0")]) != least_text([(one,), (other, "0")])


terms = st.recursive(
    st.sampled_from(["0", "1"]),
    lambda inner: st.builds(
        lambda kind, edge, source: (kind, (edge, 0), tuple(source)),
        st.sampled_from(["conv", "wide"]),
        st.integers(0, 2),
        st.lists(inner, max_size=2),
    ),
    max_leaves=4,
)


@given(st.lists(st.lists(terms, max_size=3), min_size=1, max_size=3), st.randoms())
def test_order_does_not_matter(values, random):
    # Edges are unique to a source, as in a cell; else a weight would have two inputs.
    values = [tuple(value) for value in values]
    text = least_text(values)
    shuffled = [tuple(random.sample(value, len(value))) for value in values]
    assert least_text(random.sample(shuffled, len(shuffled))) == text


@given(st.permutations(range(3)))
def test_edges_may_be_renumbered(order):
    values = [(conv((0, 0)),), (conv((1, 0)), conv((2, 0)))]
    other = [(conv((order[0], 0)),), (conv((order[1], 0)), conv((order[2], 0)))]
    assert least_text(values) == least_text(other)
    assert len({least_text([p]) for p in itertools.permutations(values[1])}) == 1
