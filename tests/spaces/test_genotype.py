"""Genotypes as text: what is read, and what is refused in one line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenas_jax.errors import UserError
from tenas_jax.spaces.darts.genotype import Genotype, read_genotype

PAIRS = [("sep_conv_3x3", 0), ("skip_connect", 1)] * 4
TEXT = repr(PAIRS)


@pytest.mark.parametrize(
    "text",
    [
        f"Genotype(normal={TEXT}, normal_concat=range(2, 6), reduce={TEXT}, "
        "reduce_concat=range(2, 6))",
        f"  Genotype(reduce={TEXT}, normal={TEXT})\n",
        f"Genotype({TEXT}, [2, 3, 4, 5], {TEXT}, (2, 3, 4, 5))",
        f"Genotype({TEXT}, reduce={TEXT}, normal_concat=[2, 3, 4, 5])",
    ],
)
def test_ways_to_write_the_same(text):
    found = read_genotype(text)
    assert found.normal == found.reduce == PAIRS
    assert list(found.normal_concat) == list(found.reduce_concat) == [2, 3, 4, 5]


def test_its_repr_is_its_text():
    genotype = Genotype(PAIRS, range(2, 6), PAIRS, range(2, 6))
    assert read_genotype(repr(genotype)) == genotype


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read; valid: Genotype"),
        ("Genotype(", "cannot be read"),
        ("\x00", "cannot be read"),
        ("(" * 5000, "cannot be read"),
        ("|none~0|+|none~0|none~1|", "cannot be read"),
        ("[1, 2]", "does not begin with 'Genotype\\('"),
        ("Genotypes(normal=[], reduce=[])", "does not begin with"),
        ("os.system('true')", "does not begin with"),
        (f"Genotype(normal={TEXT})", "has no field reduce"),
        (f"Genotype(normal={TEXT}, reduce={TEXT}, norm=1)", "field 'norm' .*'normal'"),
        (f"Genotype({TEXT}, reduce={TEXT}, normal={TEXT})", "has the field normal twice"),
        (f"Genotype({TEXT}, [2], {TEXT}, [2], 1)", "has 5 fields"),
        (f"Genotype(normal=f(), reduce={TEXT})", "normal is no list"),
        (f"Genotype(normal=7, reduce={TEXT})", "normal is no list"),
        (f"Genotype({TEXT}, range(10**9), {TEXT})", "normal_concat is no list"),
        (f"Genotype({TEXT}, range(1000000000), {TEXT})", "normal_concat is no list"),
        (f"Genotype({TEXT}, range(stop=6), {TEXT})", "normal_concat is no list"),
        (f"Genotype({TEXT}, range(1, 5, 0), {TEXT})", "normal_concat is no list"),
        (f"Genotype({TEXT}, range(), {TEXT})", "normal_concat is no list"),
        (f"Genotype(normal={TEXT}, **{{'reduce': []}})", "unknown field None"),
    ],
)
def test_a_bad_text_is_one_clear_line(text, message):
    with pytest.raises(UserError, match=message) as caught:
        read_genotype(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


WHOLE = f"Genotype(normal={TEXT}, normal_concat=range(2, 6), reduce={TEXT})"


@settings(deadline=None, max_examples=100)
@given(
    st.text(max_size=40)
    | st.builds(
        lambda at, new: WHOLE[:at] + new + WHOLE[at + 1 :],
        st.integers(0, len(WHOLE)),
        st.text(max_size=2),
    )
)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_any_text_is_read_or_is_a_user_error(text):
    try:
        found = read_genotype(text)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(found, Genotype)
