"""What every space must do, over every entry of SPACES and over a toy with two cells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenas_jax import spaces
from tenas_jax.errors import UserError

SIZES = {"nas_bench_201": 15_625, "darts": (3 * 6 * 10 * 7**8) ** 2}
SIZES["as_vit"] = (5 * 3 * 5) * (3 * 3 * 5) * (3 * 2 * 5) * (3 * 1 * 5) * 3


class TwoCells(spaces.CellSpace):
    """As large as DARTS: its indices do not fit 64 bits."""

    name = "two_cells"
    operations = ("none", *"abcdefg")
    edges = tuple((node, source) for node in range(4) for source in range(node + 2))
    cells = 2

    def parse(self, string):
        digits = [self.operations.index(name) for name in string.split()]
        return np.array(digits, np.int8).reshape(2, 14)

    def to_string(self, arch):
        return " ".join(self.operations[i] for i in self.check(arch).ravel())

    def canonical(self, arch):
        return self.to_string(arch)


ALL = [*spaces.SPACES.values(), TwoCells()]
every_space = pytest.mark.parametrize("space", ALL, ids=lambda space: space.name)
# those in which any operation may stand on any edge, whatever stands on the others
products = pytest.mark.parametrize(
    "space", [s for s in ALL if s.options.all()], ids=lambda space: space.name
)


def test_sizes_are_known_for_every_space():
    assert {name: space.size for name, space in spaces.SPACES.items()} == SIZES


def test_names_agree_with_the_table():
    assert all(space.name == name for name, space in spaces.SPACES.items())
    assert spaces.get("nas_bench_201") is spaces.SPACES["nas_bench_201"]


def test_an_unknown_space_names_the_nearest():
    with pytest.raises(UserError, match="'nas_bench_2O1'.*did you mean 'nas_bench_201'"):
        spaces.get("nas_bench_2O1")


@every_space
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_encodings_round_trip(space, data):
    index = data.draw(st.integers(0, space.size - 1))
    arch = space.from_index(index)
    assert arch.dtype == np.int8 and arch.shape == space.mask_shape[:2]
    assert space.index(arch) == index
    np.testing.assert_array_equal(space.parse(space.to_string(arch)), arch)
    mask = space.to_mask(arch)
    assert mask.dtype == np.uint8 and mask.shape == space.mask_shape
    for cell, edge in np.ndindex(arch.shape):
        chosen = [arch[cell, edge]]
        if space.inputs_per_node is not None and chosen == [0]:
            chosen = []  # an edge that is not chosen
        assert np.flatnonzero(mask[cell, edge]).tolist() == chosen
    np.testing.assert_array_equal(space.from_mask(mask), arch)


@products
def test_index_counts_the_last_edge_fastest(space):
    assert space.index(np.zeros(space.mask_shape[:2], int)) == 0
    assert space.from_index(1).ravel().tolist()[-2:] == [0, 1]
    assert space.index(space.from_index(space.size - 1)) == space.size - 1


@every_space
@pytest.mark.parametrize("index", [-1, None, "3", 1.0, 8**28])
def test_an_index_out_of_range_is_refused(space, index):
    with pytest.raises(UserError, match=f"no architecture .*0 to {space.size - 1}"):
        space.from_index(index)


@every_space
def test_supernet_has_all_but_none(space):
    mask = space.supernet()
    assert mask.dtype == np.uint8 and mask.shape == space.mask_shape
    for column, operation in enumerate(space.operations):
        there = space.options[..., column] & (operation != "none")
        assert (mask[..., column] == there).all()


@every_space
def test_sampling_is_seeded(space):
    one, two = (space.sample(np.random.default_rng(3), 7) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.dtype == np.int8 and one.shape == (7, *space.mask_shape[:2])
    assert (space.sample(np.random.default_rng(4), 7) != one).any()
    assert space.sample(np.random.default_rng(3)).shape == space.mask_shape[:2]


@products
def test_sampling_is_uniform(space):
    draws = space.sample(np.random.default_rng(0), 20_000)
    shares = np.stack([(draws == i).mean(0) for i in range(len(space.operations))])
    np.testing.assert_allclose(shares, 1 / len(space.operations), atol=0.015)
    first, last = (draws.reshape(len(draws), -1)[:, place] for place in (0, -1))
    pairs = np.bincount(first * len(space.operations) + last) / len(draws)
    np.testing.assert_allclose(pairs, len(space.operations) ** -2.0, atol=0.01)


@products
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_neighbours_are_those_at_distance_one(space, seed):
    arch = space.sample(np.random.default_rng(seed))
    found = space.neighbours(arch)
    assert len(found) == arch.size * (len(space.operations) - 1)
    assert len({space.index(other) for other in found}) == len(found)
    assert all((other != arch).sum() == 1 for other in found)


@every_space
def test_cache_key_tells_masks_apart(space):
    arch = space.from_index(space.size - 1)
    assert space.cache_key(space.to_mask(arch)) == space.canonical(arch)
    full = space.supernet()
    keys = {space.cache_key(full)}
    for place in np.argwhere(full):
        pruned = full.copy()
        pruned[tuple(place)] = 0
        keys.add(space.cache_key(pruned))
    assert len(keys) == full.sum() + 1
    assert space.cache_key(full.astype(float)) in keys
    assert max(map(len, keys)) < 80


@every_space
def test_describe_is_one_line(space):
    arch = space.from_index(5)
    assert space.describe(space.to_mask(arch)) == space.to_string(arch)
    mask = space.supernet()
    mask[0, 1] = 0
    text = space.describe(mask)
    assert "\n" not in text and text.count("no operation") == 1
    parts = [part.split(": ")[0] for part in text.split("; ")]
    assert parts == [space.edge_name(*place) for place in np.ndindex(mask.shape[:2])]
    if space.cells > 1:
        assert f"{space.cell_name(space.cells - 1)} 2<-1" in text
    assert len(space.cell_names) in (0, space.cells)


@products
def test_from_mask_wants_one_operation_an_edge(space):
    target, source = space.edges[1]
    for ones in (0, 2):
        mask = space.to_mask(space.from_index(0))
        mask[0, 1] = np.arange(len(space.operations)) < ones
        with pytest.raises(UserError, match=f"edge .*{target}<-{source} has"):
            space.from_mask(mask)


@every_space
def test_masks_and_architectures_are_checked(space):
    with pytest.raises(UserError, match="mask of .* has shape"):
        space.from_mask(np.ones((1, 2, 3)))
    with pytest.raises(UserError, match="mask value 2"):
        space.describe(space.supernet() * 2)
    with pytest.raises(UserError, match="integer array of shape"):
        space.index(np.zeros(3, int))
    with pytest.raises(UserError, match="integer array of shape"):
        space.index(np.zeros(space.mask_shape[:2]))
    for number in (-1, len(space.operations)):
        with pytest.raises(
            UserError, match=f"unknown operation number {number} .*0 {space.operations[0]}"
        ):
            space.to_mask(np.full(space.mask_shape[:2], number))
