"""DARTS's space: genotypes, masks, numbers, neighbours, and what computes the same."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.spaces.darts.genotype import Genotype

SPACE = spaces.get("darts")
NONE, SKIP, SEP_3X3, SEP_5X5, DIL_3X3, DIL_5X5, AVERAGE, MAX = range(8)
# DARTS, second order, on CIFAR-10 (arXiv:1806.09055, figures 4 and 5)
DARTS_V2 = Genotype(
    normal=[
        ("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2),
    ],
    normal_concat=[2, 3, 4, 5],
    reduce=[
        ("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1),
        ("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1),
    ],
    reduce_concat=[2, 3, 4, 5],
)  # fmt: skip
indices = st.integers(0, SPACE.size - 1)


def row(*pairs):
    """A cell from its eight (operation number, state)."""
    found = np.zeros(14, np.int8)
    for i, (operation, state) in enumerate(pairs):
        found[SPACE.edges.index((2 + i // 2, state))] = operation
    return found


def cells(normal, reduce=None):
    return np.stack([normal, normal if reduce is None else reduce])


PLAIN = row(*[(SEP_3X3, 0), (SEP_3X3, 1)] * 4)


def test_the_space_is_the_published_one():
    assert SPACE.cells == 2 and len(SPACE.edges) == 14 and len(SPACE.operations) == 8
    pairs = [1, 3, 6, 10]  # of the states that each node may choose two of
    assert SPACE.size == (np.prod(pairs, dtype=object) * 7**8) ** 2
    assert 1.0e18 < SPACE.size < 1.1e18  # the paper's 10^18


def test_a_published_genotype():
    arch = SPACE.from_genotype(DARTS_V2)
    normal = row((2, 0), (2, 1), (2, 0), (2, 1), (2, 1), (1, 0), (1, 0), (4, 2))
    reduce = row((7, 0), (7, 1), (1, 2), (7, 1), (7, 0), (1, 2), (1, 2), (7, 1))
    np.testing.assert_array_equal(arch, [normal, reduce])
    np.testing.assert_array_equal(SPACE.parse(repr(DARTS_V2)), arch)
    text = SPACE.to_string(arch)
    assert text.startswith("Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ")
    assert text.endswith("('max_pool_3x3', 1), ('skip_connect', 2)], reduce_concat=range(2, 6))")
    assert SPACE.describe(SPACE.to_mask(arch)) == text


@settings(deadline=None, max_examples=50)
@given(indices)
def test_text_array_and_genotype_round_trip(index):
    arch = SPACE.from_index(index)
    for there in (SPACE.to_genotype, SPACE.to_string, SPACE.to_mask, SPACE.index):
        back = {
            "to_genotype": SPACE.from_genotype,
            "to_string": SPACE.parse,
            "to_mask": SPACE.from_mask,
            "index": SPACE.from_index,
        }[there.__name__]
        np.testing.assert_array_equal(back(there(arch)), arch)
    genotype = SPACE.to_genotype(arch)
    swapped = [genotype.normal[i ^ 1] for i in range(8)]  # the other order in each node
    np.testing.assert_array_equal(SPACE.from_genotype(genotype._replace(normal=swapped)), arch)


def test_indices_are_distinct_and_count_the_last_operation_fastest():
    some = [SPACE.from_index(i).tobytes() for i in range(2000)]
    assert len(set(some)) == 2000
    first, second = SPACE.from_index(0), SPACE.from_index(1)
    assert (first != second).sum() == 1 and second[1].nonzero()[0][-1] == 10  # 5 <- 1
    assert SPACE.index(SPACE.from_index(SPACE.size - 1)) == SPACE.size - 1


def good(**fields):
    return DARTS_V2._replace(**fields)


def with_pair(place, pair):
    return good(normal=[*DARTS_V2.normal[:place], pair, *DARTS_V2.normal[place + 1 :]])


@pytest.mark.parametrize(
    ("genotype", "message"),
    [
        (good(reduce=DARTS_V2.reduce[:7]), "reduce has 7 pairs; valid: 8, two for each node"),
        (good(normal=[]), "normal has 0 pairs"),
        (good(normal_concat=[2, 3, 4]), r"normal_concat is \[2, 3, 4\]; valid: \[2, 3, 4, 5\]"),
        (good(reduce_concat=["a"]), "reduce_concat is"),
        (with_pair(2, ("sep_conv_3x3", 1)), "normal: node 3 reads state 1 twice"),
        (with_pair(0, ("sep_conv_3x4", 0)), "normal, node 2: .*did you mean 'sep_conv_3x3'"),
        (with_pair(0, ("none", 0)), "normal, node 2: unknown operation 'none'"),
        (with_pair(0, ("skip_connect", 2)), "node 2 reads state 2; valid: 0 to 1"),
        (with_pair(7, ("skip_connect", -1)), "node 5 reads state -1; valid: 0 to 4"),
        (with_pair(7, ("skip_connect", True)), "node 5 reads state True"),
        (with_pair(7, ("skip_connect", "1")), "node 5 reads state '1'"),
        (with_pair(3, ("skip_connect",)), "node 3 has .*valid: .'OPERATION', STATE"),
        (with_pair(3, 7), "node 3 has 7"),
        (with_pair(3, ({}, 1)), "node 3: unknown operation"),
        (with_pair(0, ("skip_connect", 16**5000)), "node 2 reads state a long int"),
    ],
)
def test_a_bad_genotype_is_one_clear_line(genotype, message):
    texts = [] if "long" in message else [lambda genotype: SPACE.parse(repr(genotype))]
    for read in (SPACE.from_genotype, *texts):
        with pytest.raises(UserError, match=message) as caught:
            read(genotype)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("text", [None, 3, b"Genotype()"])
def test_what_is_no_text(text):
    with pytest.raises(UserError, match="a genotype is a text, not "):
        SPACE.parse(text)


def test_every_node_has_two_inputs():
    for count, change in ((1, NONE), (3, MAX)):
        arch = cells(PLAIN).copy()
        place = SPACE.edges.index((4, 1 if count == 1 else 2))
        arch[1, place] = change
        with pytest.raises(UserError, match=f"reduce: node 4 has {count} inputs; valid: 2"):
            SPACE.check(arch)


def test_single_architectures_and_supernets_are_told_apart():
    mask = SPACE.to_mask(SPACE.from_genotype(DARTS_V2))
    assert SPACE.is_single(mask) and mask.sum() == 16 and not mask[..., NONE].any()
    explicit = mask.copy()
    explicit[..., NONE] = mask.sum(-1) == 0  # `none` written out is the same architecture
    assert SPACE.is_single(explicit)
    np.testing.assert_array_equal(SPACE.from_mask(explicit), SPACE.from_mask(mask))
    empty = next(map(tuple, np.argwhere(mask.sum(-1) == 0)))
    full = next(map(tuple, np.argwhere(mask)))
    for place, value in (((*empty, MAX), 1), (full, 0), ((*full[:2], AVERAGE), 1)):
        other = mask.copy()
        other[place] = value
        assert not SPACE.is_single(other)
        with pytest.raises(UserError):
            SPACE.from_mask(other)
        assert SPACE.cache_key(other).startswith("mask:")
    assert not SPACE.is_single(SPACE.supernet())


@settings(deadline=None, max_examples=10)
@given(indices)
def test_neighbours_differ_in_one_operation_or_one_source(index):
    arch = SPACE.from_index(index)
    found = SPACE.neighbours(arch)
    # 16 operations with 6 others; to move an edge, 0 + 2 + 4 + 6 ways in a cell
    assert len(found) == 16 * 6 + 2 * 12
    assert len({SPACE.index(other) for other in found}) == len(found)
    for other in found:
        (changed,) = {tuple(place) for place in np.argwhere(other != arch)[:, :1]}
        before, after = arch[changed], other[changed]
        moved = (before != 0) != (after != 0)
        assert moved.sum() in (0, 2) and (before != after).sum() == (moved.sum() or 1)
    for other in found[::40]:
        assert arch.tobytes() in {back.tobytes() for back in SPACE.neighbours(other)}


def test_sampling_is_uniform():
    draws = SPACE.sample(np.random.default_rng(0), 4000)
    assert draws.shape == (4000, 2, 14) and draws.dtype == np.int8
    for node, share in ((2, 1), (3, 2 / 3), (4, 1 / 2), (5, 2 / 5)):
        into = [i for i, (target, _) in enumerate(SPACE.edges) if target == node]
        np.testing.assert_allclose((draws[..., into] > 0).mean(0), share, atol=0.04)
    for operation in range(1, 8):
        np.testing.assert_allclose((draws == operation).mean(), 16 / 28 / 7, atol=0.004)
    one = SPACE.sample(np.random.default_rng(0))
    assert one.shape == (2, 14) and SPACE.sample(np.random.default_rng(0), 0).shape == (0, 2, 14)


def fingerprint(arch):
    """A number from evaluating the cells on floats; it knows nothing of the forms.

    A term with weights is a function of its source and of a secret of its edge; what the secrets
    are is averaged over, as weights are drawn, and the output is symmetric in the nodes.
    """
    total = 0.0
    rng = np.random.default_rng(0)
    deals = np.stack([rng.permutation(14) for _ in range(2000)], 1)
    secrets = rng.uniform(0.5, 1.5, (8, 14))
    for cell, operations in enumerate(arch):
        states = [np.full(2000, 0.7), np.full(2000, 1.9)] + [np.zeros(2000)] * 4
        for edge, operation in enumerate(operations):
            node, source = SPACE.edges[edge]
            x = states[source]
            reduces = cell == 1 and source < 2
            if operation == SKIP and not reduces:
                y = x
            elif operation in (AVERAGE, MAX):
                y = np.sin(1.1 * operation * x)
            elif operation:
                y = np.tanh(secrets[operation][deals[edge]] * x + operation)
            if operation:
                states[node] = states[node] + y
        total += (cell + 1) * np.mean(np.prod([1 + s**2 for s in states[2:]], 0))
    return total


def same(one, other):
    return SPACE.canonical(one) == SPACE.canonical(other)


def test_nodes_that_change_places_compute_the_same():
    one = row((MAX, 0), (MAX, 1), (SEP_3X3, 0), (MAX, 1), (SKIP, 0), (AVERAGE, 1), (MAX, 2),
              (SKIP, 3))  # fmt: skip
    other = row((SEP_3X3, 0), (MAX, 1), (MAX, 0), (MAX, 1), (SKIP, 0), (AVERAGE, 1), (SKIP, 2),
                (MAX, 3))  # fmt: skip
    assert same(cells(one, PLAIN), cells(other, PLAIN))
    assert same(cells(PLAIN, one), cells(PLAIN, other))
    assert not same(cells(one, PLAIN), cells(PLAIN, one))


def test_an_identity_of_the_reduction_cell_has_weights():
    """There it halves the sides, so two of them on one input are not one."""
    by_node = row((SKIP, 0), (MAX, 1), (SKIP, 2), (MAX, 1), (SKIP, 0), (MAX, 1), (MAX, 0), (MAX, 1))
    by_input = row((SKIP, 0), (MAX, 1), (MAX, 1), (SKIP, 0), (SKIP, 0), (MAX, 1), (MAX, 0),
                   (MAX, 1))  # fmt: skip
    assert not same(cells(PLAIN, by_node), cells(PLAIN, by_input))
    # Node 3 is node 2 and another pooling, and sums are written out: max(1) stands there twice.
    assert "0+1" not in SPACE.canonical(cells(PLAIN, by_node))
    two = row(
        (SKIP, 0), (SKIP, 1), (SKIP, 0), (SKIP, 1), (SKIP, 0), (SKIP, 1), (SKIP, 0), (SKIP, 1)
    )
    assert SPACE.canonical(cells(two)) == (
        "normal 0+1, 0+1, 0+1, 0+1; reduce "
        + ", ".join(f"(0)@skip_connect:{i}+(1)@skip_connect:{i}" for i in (1, 2, 3, 4))
    )


@pytest.mark.parametrize("seed", range(3))
def test_forms_are_equal_where_cells_compute_the_same(seed):
    """Among cells of few operations, many of which are the same; both cells by themselves."""
    rng = np.random.default_rng(seed)
    kinds = [[SKIP, MAX], [SKIP, SEP_3X3], [SKIP, MAX, DIL_5X5]][seed]
    rows = []
    for _ in range(30):
        sources = [sorted(rng.choice(node, 2, replace=False)) for node in (2, 3, 4, 5)]
        rows.append(row(*[(rng.choice(kinds), s) for pair in sources for s in pair]))
    for cell in range(2):
        archs = [cells(r, PLAIN) if cell == 0 else cells(PLAIN, r) for r in rows]
        forms = [SPACE.canonical(arch) for arch in archs]
        values = [fingerprint(arch) for arch in archs]
        for i, j in itertools.combinations(range(len(archs)), 2):
            if forms[i] == forms[j]:
                assert values[i] == pytest.approx(values[j], rel=0.03)
            else:
                assert values[i] != pytest.approx(values[j], rel=1e-9)
        assert 1 < len(set(forms)) <= len(rows)
