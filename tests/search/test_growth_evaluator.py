"""Sizes scored by few programs: as the evaluator of any space scores, whatever else is asked."""

import numpy as np
import pytest

from tenas_jax.data import Images
from tenas_jax.errors import UserError
from tenas_jax.scoring import presets
from tenas_jax.search.growth_evaluator import SizesEvaluator, rounded_up
from tenas_jax.spaces.as_vit.grown import AsVitSizes
from tenas_jax.spaces.as_vit.sizes import Sizes

SPACE = AsVitSizes("8,2,3|4,1,2|4,1,4|4,1,6|32")

pytestmark = pytest.mark.usefixtures("quick_compilation")


def data(side=32):
    pixels = np.random.default_rng(0).integers(0, 256, (8, side, side, 3), dtype=np.uint8)
    return Images(pixels, np.arange(8) % 2, 2)


def test_programs_are_made_for_rounded_sizes():
    assert rounded_up([Sizes(hidden=8)]) == Sizes((1, 1, 1, 1), 8)
    assert rounded_up([Sizes((1, 3, 1, 1), 9), Sizes(hidden=4)]) == Sizes((4, 4, 4, 4), 10)
    widths = [rounded_up([Sizes(hidden=width)]).hidden for width in range(8, 60)]
    assert all(8 <= width <= found <= 1.3 * width for width, found in enumerate(widths, 8))
    assert len(set(widths)) == 10
    with pytest.raises(UserError, match="no sizes"):
        rounded_up([])


def test_scores_do_not_depend_on_what_else_is_scored():
    protocol = presets.protocol(
        "as_vit", batch_size=2, repeats=1, options={"length_distortion": {"curve_points": 3}}
    )
    evaluator = SizesEvaluator(SPACE, data(), protocol, seed=0)
    asked = [Sizes((1, 2, 1, 1), 4), Sizes((2, 1, 1, 1), 4), Sizes((1, 2, 1, 1), 5)]
    masks = [SPACE.to_mask(sizes) for sizes in asked]
    together = {key: found for _, key, found, _ in evaluator.score(masks, 0)}
    assert list(together) == [SPACE.describe(mask) for mask in masks]
    assert list(together) == [evaluator.key(mask) for mask in masks]
    alone = next(iter(evaluator.score(masks[2:], 0)))[2]
    for name in protocol.metrics:
        assert together[SPACE.describe(masks[2])].values[name] == alone.values[name]
        assert len({found.mean(name) for found in together.values()}) == 3
        assert all(np.isfinite(found.mean(name)) for found in together.values())
    spent = evaluator.compile_seconds, evaluator.run_seconds
    assert min(spent) > 0 and evaluator.engine == "jacobian"


def test_images_that_do_not_fit_are_refused_at_once():
    protocol = presets.protocol("as_vit", batch_size=2)
    with pytest.raises(UserError, match="too small: stage 4 has no token"):
        SizesEvaluator(SPACE, data(16), protocol, seed=0)
    with pytest.raises(UserError, match="linear_regions: as_vit_sizes has no network 'patch'"):
        SizesEvaluator(
            SPACE, data(), presets.protocol("as_vit", metrics=("linear_regions",)), seed=0
        )
