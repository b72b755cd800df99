"""Which architectures are scored."""

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.benchmarks.score_space import chosen_numbers, listed_numbers
from tenas_jax.errors import UserError

SPACE = spaces.get("nas_bench_201")
ONE, TWO = (SPACE.to_string(SPACE.from_index(i)) for i in (4000, 12))


def test_a_list_keeps_its_order_and_skips_blanks_and_comments(tmp_path):
    path = tmp_path / "archs.txt"
    path.write_text(f"\ufeff# mine\n\n  {ONE}  \r\n   \n{TWO} # the small one\n", encoding="utf-8")
    assert listed_numbers(path, SPACE) == [4000, 12]
    assert chosen_numbers(SPACE, path, None, 0) == [4000, 12]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"{ONE}\n\n|nope~0|\n".encode(), "archs.txt, line 3: "),
        (f"{ONE}\n{TWO}\n{ONE.replace('+', ' + ')}\n".encode(), "line 3: .* is on line 1 already"),
        (b"# nothing\n\n", "archs.txt holds no architecture"),
        (b"\xff\xfe|\n", "archs.txt, line 1: "),
    ],
)
def test_a_mistake_in_a_list_names_its_line(tmp_path, content, words):
    (tmp_path / "archs.txt").write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        listed_numbers(tmp_path / "archs.txt", SPACE)
    assert "\n" not in str(caught.value)


def test_lists_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*none.txt: No such file"):
        listed_numbers(tmp_path / "none.txt", SPACE)
    with pytest.raises(UserError, match="Is a directory"):
        listed_numbers(tmp_path, SPACE)


def test_the_whole_space_or_a_sample_of_it():
    assert list(chosen_numbers(SPACE, None, None, 0)) == list(range(15625))
    some = chosen_numbers(SPACE, None, 100, 3)
    assert len(set(some)) == 100 and some == chosen_numbers(SPACE, None, 100, 3)
    assert some == SPACE.sample_numbers(np.random.default_rng(3), 100)
    assert some != chosen_numbers(SPACE, None, 100, 4)
    assert some == chosen_numbers(SPACE, None, 200, 3)[:100]
    assert sorted(chosen_numbers(SPACE, None, 15625, 0)) == list(range(15625))
    for count in (0, 15626):
        with pytest.raises(UserError, match=f"from 1 to 15625, not {count}"):
            chosen_numbers(SPACE, None, count, 0)
    with pytest.raises(UserError, match="not both"):
        chosen_numbers(SPACE, "archs.txt", 3, 0)
