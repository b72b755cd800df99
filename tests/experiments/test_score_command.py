"""`score` as a user runs it."""

import pytest

from tenas_jax import Evaluator, data, spaces
from tenas_jax.scoring.presets import protocol

ARCH = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


def test_scoring_one_architecture(commands, tiny):
    """By the networks as they are: it is the only command here that compiles the whole ones."""
    options = [f"--data={tiny}", "--batch_size=4"]
    done = commands.run("score", f"--arch={ARCH}", *options, small=False)
    assert done.returncode == 0, done.stderr
    assert ARCH in done.stdout
    assert "condition_number" in done.stdout and "linear_regions" in done.stdout


@pytest.mark.parametrize("preset", ["reference", "paper"])
def test_a_printed_score_is_that_of_the_evaluator(commands, tiny, quick_compilation, preset):
    options = ["--batch_size=4", "--repeats=2", "--metrics=linear_regions", "--seed=3"]
    result = commands.run(
        "score", f"--arch={ARCH}", f"--data={tiny}", *options, f"--preset={preset}"
    )
    space = spaces.get("nas_bench_201")
    settings = protocol(preset, batch_size=4, repeats=2, metrics=("linear_regions",))
    evaluator = Evaluator(space, data.load(str(tiny)), settings, seed=3)
    [(_, _, score, _)] = evaluator.score([space.to_mask(space.parse(ARCH))], draw=0)
    numbers = [score.mean("linear_regions"), *score.values["linear_regions"]]
    [line] = [s for s in result.stdout.splitlines() if s.startswith("linear_regions")]
    size = {"reference": "3000", "paper": "5000"}[preset]
    assert line.split() == ["linear_regions", size, *(f"{n:g}" for n in numbers), "ok"]
