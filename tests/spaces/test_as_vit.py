"""Topologies of vision transformers, their sizes, and what is refused."""

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.spaces.as_vit.grown import AsVitSizes
from tenas_jax.spaces.as_vit.sizes import Sizes, join, split
from tenas_jax.spaces.as_vit.space import CHOICES

SPACE = spaces.get("as_vit")
SEED = "8,2,3|4,1,2|4,1,4|4,1,6|32"
LARGE = "8,2,3,5|4,1,2,2|4,1,4,5|4,1,6,2|32,180"


def test_the_published_seed():
    arch = SPACE.parse(f" {SEED.replace(',', ' , ')} ")
    assert arch.tolist() == [[4, 0, 1, 2, 0, 0, 2, 0, 2, 2, 0, 4, 1]]
    assert SPACE.to_string(arch) == SPACE.canonical(arch) == SEED
    topology = SPACE.topology(arch)
    assert topology.kernels == (8, 4, 4, 4) and topology.splits == (2, 1, 1, 1)
    assert topology.ratios == (3, 2, 4, 6) and topology.heads == 32
    assert topology.stage_heads == (4, 8, 16, 32)


def test_index_is_a_number_with_a_base_for_each_digit():
    last = "8,8,6|4,4,6|4,2,6|4,1,6|64"
    assert SPACE.index(SPACE.parse(last)) == SPACE.size - 1
    assert SPACE.to_string(SPACE.from_index(0)) == "4,2,2|2,1,2|2,1,2|2,1,2|16"
    assert SPACE.to_string(SPACE.from_index(3)) == "4,2,2|2,1,2|2,1,2|2,1,3|16"
    assert SPACE.to_string(SPACE.from_index(3 * 5)) == "4,2,2|2,1,2|2,1,2|3,1,2|16"  # S4 has one


def test_draws_are_uniform_in_each_choice():
    draws = SPACE.sample(np.random.default_rng(0), 20_000)[:, 0]
    for column, valid in zip(draws.T, CHOICES.values(), strict=True):
        shares = np.bincount(column, minlength=len(valid)) / len(column)
        np.testing.assert_allclose(shares, 1 / len(valid), atol=0.02)


def test_neighbours_have_one_other_choice():
    arch = SPACE.parse(SEED)
    found = SPACE.neighbours(arch)
    assert len(found) == sum(len(valid) - 1 for valid in CHOICES.values()) == 33
    assert len({SPACE.index(other) for other in found}) == 33
    assert all((other != arch).sum() == 1 for other in found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not of the form K,S,E"),
        (None, "is not of the form"),
        (SEED.rsplit("|", 1)[0], "is not of the form"),
        (SEED.replace("4,1,6", "4,1"), "is not of the form"),
        (f"{SEED}|3", "is not of the form"),
        (SEED.replace("8,2,3", "9,2,3"), "K1 is '9'; valid: 4, 5, 6, 7, 8"),
        (SEED.replace("8,2,3", "3,2,3"), "K1 is '3', below its stride of 4; valid"),
        (SEED.replace("4,1,6", "1,1,6"), "K4 is '1', below its stride of 2; valid: 2, 3, 4"),
        (SEED.replace("8,2,3", "8,3,3"), "S1 is '3'; valid: 2, 4, 8"),
        (SEED.replace("4,1,6", "4,2,6"), "S4 is '2'; valid: 1"),
        (SEED.replace("4,1,6", "4,1,7"), "E4 is '7'; valid: 2, 3, 4, 5, 6"),
        (SEED.replace("|32", "|48"), "heads is '48'; valid: 16, 32, 64"),
        (SEED.replace("|32", "|-32"), "heads is '-32'"),
        (SEED.replace("8,2,3", "8,two,3"), "S1 is 'two'"),
    ],
)
def test_strings_that_are_no_topology(text, words):
    with pytest.raises(UserError, match=words):
        SPACE.parse(text)


def test_numbers_beyond_a_row_are_refused():
    arch = SPACE.parse(SEED)
    arch[0, 1] = 3  # S1 has three choices
    with pytest.raises(UserError, match="S1 has no choice number 3; valid: 2, 4, 8"):
        SPACE.to_string(arch)


def test_a_string_with_sizes():
    assert split(LARGE) == (SEED, Sizes((5, 2, 5, 2), 180))
    assert split(SEED) == (SEED, None)
    assert join(*split(LARGE)) == LARGE
    arch, sizes = SPACE.parse_sized(LARGE)
    assert SPACE.to_string(arch) == SEED and sizes == {"depths": [5, 2, 5, 2], "hidden": 180}
    assert SPACE.parse_sized(SEED)[1] == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LARGE.replace(",5|", "|", 1), "has some sizes and not all"),
        (LARGE.replace(",180", ""), "has some sizes and not all"),
        (f"{SEED},180", "has some sizes and not all"),
        (LARGE.replace("180", "0"), "hidden is '0'; valid: whole numbers from 1"),
        (LARGE.replace("8,2,3,5", "8,2,3,-5"), "L1 is '-5'; valid"),
        (LARGE.replace("4,1,6,2", "4,1,6,x"), "L4 is 'x'"),
    ],
)
def test_sizes_that_are_none(text, words):
    with pytest.raises(UserError, match=words):
        split(text)


def test_widths_double_up_to_1024():
    assert Sizes(hidden=180).widths == (180, 360, 720, 1024)
    assert Sizes().widths == (32, 64, 128, 256) and Sizes().depths == (1, 1, 1, 1)


def test_sizes_as_masks():
    space, sizes = AsVitSizes(SEED), Sizes((5, 2, 5, 2), 180)
    mask = space.to_mask(sizes)
    assert mask.tolist() == [[[5], [2], [5], [2], [180]]] and space.from_mask(mask) == sizes
    assert space.from_mask(mask.astype(np.float32)) == sizes
    assert space.describe(mask) == space.cache_key(mask) == LARGE
    with pytest.raises(UserError, match="heads is '48'"):
        AsVitSizes(SEED.replace("|32", "|48"))
