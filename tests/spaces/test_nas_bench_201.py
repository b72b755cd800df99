"""NAS-Bench-201's strings, its canonical form, and the benchmark's own count."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenas_jax import spaces
from tenas_jax.errors import UserError

SPACE = spaces.get("nas_bench_201")
EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
LETTERS = dict(zip("zs13p", OPERATIONS, strict=True))
ONE, THREE = "(0)@nor_conv_1x1", "(0)@nor_conv_3x3"
CELLS = list(itertools.product(range(5), repeat=6))


def cell(letters):
    """A cell from one letter an edge: zero, skip, convolution 1 or 3, pooling."""
    return np.array([[OPERATIONS.index(LETTERS[letter]) for letter in letters]], np.int8)


def canonical(letters):
    return SPACE.canonical(cell(letters))


@pytest.fixture(scope="module")
def forms():
    """The canonical form of every cell."""
    return [SPACE.canonical(np.array([row])) for row in CELLS]


def benchmark_form(row, drop_zeros=False, sort_sums=False):
    """The benchmark's text of a cell, or the same with one or two of its habits mended."""
    sums = [["0"], [], [], []]
    for target, source in EDGES:
        operation = OPERATIONS[row[EDGES.index((target, source))]]
        text = "+".join(sorted(sums[source]))
        zero = text == "#" or (drop_zeros and not text)
        if operation == "none" or zero:
            sums[target] += [] if drop_zeros else ["#"]
        elif operation == "skip_connect":
            sums[target] += sums[source] if sort_sums else [text]
        else:
            sums[target].append(f"({text})@{operation}")
    return "+".join(sorted(sums[-1]))


def fingerprints(rows):
    """A number for each cell, from evaluating it on floats; it knows nothing of the forms.

    Every edge has an opaque function of its own with f(0) = 0; the outputs for all 720 ways to
    deal six weights to the edges are pooled, so that only the law over random weights counts.
    """
    rng = np.random.default_rng(0)
    deals = np.array(list(itertools.permutations(range(6)))).T
    height, width = rng.uniform(0.5, 1.5, 6)[deals], rng.uniform(1, 3, 6)[deals]
    functions = (
        lambda x, e: np.zeros(720),
        lambda x, e: x,
        lambda x, e: height[e] * np.sin(width[e] * x),
        lambda x, e: height[e] * np.tanh(width[e] * x) + 0.3 * x**2,
        lambda x, e: np.sin(1.7 * x),
    )
    for row in rows:
        nodes = [np.full(720, 0.7)] + [np.zeros(720) for _ in range(3)]
        for e, (target, source) in enumerate(EDGES):
            nodes[target] = nodes[target] + functions[row[e]](nodes[source], e)
        yield round(float(np.mean(np.cos(nodes[-1]) + 1.3 * nodes[-1] ** 3)), 9)


def test_the_space_is_the_published_one():
    assert (SPACE.operations, SPACE.edges) == (OPERATIONS, EDGES)
    assert (SPACE.cells, SPACE.mask_shape) == (1, (1, 6, 5))
    assert len(SPACE.neighbours(cell("ss3p1z"))) == 24


def test_the_readme_string_parses():
    string = (
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|"
        "+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
    )
    arch = SPACE.parse(string)
    np.testing.assert_array_equal(arch, [[3, 3, 4, 1, 3, 1]])
    assert SPACE.to_string(arch) == string
    assert SPACE.index(arch) == ((((3 * 5 + 3) * 5 + 4) * 5 + 1) * 5 + 3) * 5 + 1


def test_spaces_and_the_order_in_a_node_do_not_matter():
    loose = " |none~0| + |avg_pool_3x3~1| skip_connect~0|+|none~2|nor_conv_1x1~0|none~1|\n"
    np.testing.assert_array_equal(SPACE.parse(loose), cell("zsp1zz"))


TAIL = "|none~0|none~1|+|none~0|none~1|none~2|"


@pytest.mark.parametrize(
    ("string", "message"),
    [
        (f"|nor_conv_3x4~0|+{TAIL}", "node 1: .*'nor_conv_3x4'.*mean 'nor_conv_3x3'.*avg_pool"),
        (f"|~0|+{TAIL}", "node 1: unknown operation ''.*valid: none, skip"),
        ("|none~0|+|none~0|none~5|+|none~0|none~1|none~2|", "node 2: .*'5' .*'1'.*valid: 0, 1$"),
        (f"|none~x|+{TAIL}", "node 1: .*'x' .*'0'.*valid: 0$"),
        (f"|none~0|none~1|+{TAIL}", "node 1: unknown source node '1'"),
        (f"|none~0|skip_connect~0|+{TAIL}", "node 1 has two edges from node 0"),
        ("|none~0|+|none~0|+|none~0|none~1|none~2|", "node 2 has no edge from node 1"),
        (f"|none|+{TAIL}", "node 1 has 'none'; valid: OP~SOURCE"),
        (f"none~0+{TAIL}", "node 1 is 'none~0'; valid: OP~SOURCE between bars"),
        (TAIL, "has 2 nodes; valid: 3, as .*avg_pool"),
        (f"|none~0|+{TAIL}+|none~0|", "has 4 nodes; valid: 3"),
        ("", "architecture '' has 0 nodes"),
        (None, "architecture None has 0 nodes"),
        ("a\nb" * 500, "architecture 'a.nba.*has 1 nodes"),
    ],
)
def test_a_bad_string_is_one_clear_line(string, message):
    with pytest.raises(UserError, match=message) as caught:
        SPACE.parse(string)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 320


@settings(deadline=None, max_examples=100)
@given(
    st.text(alphabet="|~+0123none_skip", max_size=60)
    | st.text(max_size=40)
    | st.builds(
        lambda at, new: f"|none~0|+{TAIL}"[:at] + new + f"|none~0|+{TAIL}"[at + 1 :],
        st.integers(0, 46),
        st.text(max_size=2),
    )
)
def test_any_text_parses_or_is_a_user_error(string):
    try:
        arch = SPACE.parse(string)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert set(SPACE.to_string(arch)) <= set(string) | {"+", "|"}


def test_canonical_forms_by_hand():
    assert canonical("zzzzzz") == canonical("33pzzz") == canonical("zz3zzp") == "zero"
    assert canonical("zzzszz") == canonical("3szzzs") == canonical("szzzsz") == "0"
    assert canonical("zzz3zz") == canonical("zsz3zz") == canonical("szzz3z") == "(0)@nor_conv_3x3"
    assert canonical("zszszs") == "0+0"
    assert canonical("13zszz") == "0"
    assert canonical("3z3zzs") == "((0)@nor_conv_3x3)@nor_conv_3x3"
    assert canonical("z1zszp") == "((0)@nor_conv_1x1)@avg_pool_3x3+0"


def test_weights_used_twice_are_not_two_weights():
    shared, own = canonical("3zszss"), canonical("33zzss")
    assert shared == "(0)@nor_conv_3x3+(0)@nor_conv_3x3"
    assert own == "(0)@nor_conv_3x3:1+(0)@nor_conv_3x3:2"
    assert canonical("pzszss") == canonical("ppzzss") == "(0)@avg_pool_3x3+(0)@avg_pool_3x3"


def test_forms_are_equal_exactly_where_cells_compute_the_same(forms):
    values = list(fingerprints(CELLS))
    assert len(set(values)) == len(set(forms)) == len(set(zip(values, forms, strict=True)))


def test_the_counts_and_the_steps_between_them(forms):
    published = [benchmark_form(row) for row in CELLS]
    no_zeros = [benchmark_form(row, drop_zeros=True) for row in CELLS]
    resorted = [benchmark_form(row, drop_zeros=True, sort_sums=True) for row in CELLS]
    counts = [len(set(texts)) for texts in (published, no_zeros, resorted, forms)]
    assert counts == [6466, 5390, 4930, 5260]
    # Each step to 4,930 only merges; ours only splits what is left.
    assert len(set(zip(published, no_zeros, strict=True))) == 6466
    assert len(set(zip(no_zeros, resorted, strict=True))) == 5390
    assert len(set(zip(resorted, forms, strict=True))) == 5260


@pytest.mark.parametrize(
    ("one", "other", "texts", "same"),
    [
        ("zzzszz", "zszzzs", ("#+#+0", "#+#+#+0"), True),
        ("sss13s", "ss1s3s", (f"{ONE}+{THREE}+0+0", f"{ONE}+0+{THREE}+0"), True),
        ("3zszss", "33zzss", (f"#+#+{THREE}+{THREE}",) * 2, False),
    ],
    ids=["zeros kept", "sums left unsorted", "weights used twice"],
)
def test_examples_of_the_difference(one, other, texts, same):
    assert tuple(benchmark_form(cell(letters)[0]) for letters in (one, other)) == texts
    assert (canonical(one) == canonical(other)) is same
