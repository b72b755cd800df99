"""Random architectures of the size of a given one."""

import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.train import Card, task
from tenas_jax.train.task import parameters, same_size

SPACE = spaces.get("nas_bench_201")
ARCH = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
NETWORK = {"channels": 4, "depth": 1}

pytestmark = pytest.mark.usefixtures("one_stage")


def test_as_many_parameters_and_no_two_alike(train_images):
    rivals = same_size("nas_bench_201", ARCH, NETWORK, train_images, count=3, seed=1)
    sizes = [
        parameters(Card.of("nas_bench_201", arch, NETWORK, train_images))
        for arch in (ARCH, *rivals)
    ]
    assert all(abs(size - sizes[0]) <= 0.05 * sizes[0] for size in sizes)
    assert len({SPACE.canonical(SPACE.parse(arch)) for arch in (ARCH, *rivals)}) == 4
    more = same_size("nas_bench_201", ARCH, NETWORK, train_images, count=2, seed=1)
    assert more == rivals[:2], "the first stay the same when others are asked for"


def test_a_size_of_which_there_is_none_other(train_images, monkeypatch):
    largest = SPACE.to_string([[3] * 6])
    monkeypatch.setattr(task, "TRIES", 5)
    with pytest.raises(UserError, match="only 0 of 2 random architectures .* ask for fewer"):
        same_size("nas_bench_201", largest, NETWORK, train_images, count=2, seed=1)


def test_what_does_not_take_the_images_is_passed_over(make_images):
    """Images of 40 x 40 have 10 x 10 tokens, and 5 x 5 in the second stage: S1 is 2, S2 is 1."""
    images, arch = make_images(4, side=40), "4,2,4|3,1,4|3,1,4|3,1,4|16"
    rivals = same_size("as_vit", arch, {"hidden": 8}, images, count=2, seed=0)
    assert arch not in rivals and len(set(rivals)) == 2
    for other in rivals:
        stages = other.split("|")
        assert stages[0].split(",")[1] == "2" and stages[1].split(",")[1] == "1"
    with pytest.raises(UserError, match="S1 is 8, but images of 40 x 40"):
        same_size("as_vit", arch.replace("4,2,4", "4,8,4"), {"hidden": 8}, images, count=1, seed=0)
