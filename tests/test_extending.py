"""The examples of docs/extending.md, run as they stand there."""

import re
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tenas_jax
from tenas_jax import metrics, search, spaces
from tenas_jax.data import Images
from tenas_jax.errors import UserError
from tenas_jax.report.search_result import write_result
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.presets import protocol
from tenas_jax.scoring.scores import Score
from tenas_jax.search.strategy import Past

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
ONE = jax.devices()[:1]
TESTING = {"network": "testing"}
REGIONS = {"linear_regions": {"batch_size": 8}}
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def registries():
    """Registries that forget what a test adds."""
    tables = (metrics.METRICS, spaces.SPACES, search.STRATEGIES)
    before = [set(table) for table in tables]
    yield
    for table, names in zip(tables, before, strict=True):
        for name in set(table) - names:
            del table[name]


def images() -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
    return Images(pixels, np.arange(8) % 2, 2)


def execute(word: str) -> dict:
    [block] = [block for block in BLOCKS if word in block]
    assert block.count("\n") < 30
    names: dict = {}
    exec(compile(block, str(PAGE), "exec"), names)
    return names


def test_a_metric(registries):
    execute("my_snip")

    x, labels = jnp.eye(3)[:, :2], jnp.array([0, 1, 1])
    module = nn.Dense(2, use_bias=False)
    kernel = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
    given = module, {"kernel": jnp.asarray(kernel)}, (x, labels), ["my_snip", "snip"]
    scores = tenas_jax.score(*given)
    # The gradient is mean_n x_n (p_n - y_n), p softmax of the logits.
    logits = np.asarray(x) @ kernel
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    gradient = np.asarray(x).T @ (p - np.eye(2)[np.asarray(labels)]) / 3
    assert scores["my_snip"] == pytest.approx(np.abs(kernel * gradient).sum(), rel=1e-5)
    assert scores["my_snip"] == scores["snip"]
    with pytest.raises(UserError, match="my_snip needs labels"):
        tenas_jax.score(module, given[1], x, ["my_snip"])


def test_a_metric_in_a_search(registries, quick_compilation):
    execute("my_snip")
    options = {"my_snip": {"batch_size": 4}}
    settings = protocol("reference", metrics=("my_snip",), repeats=1, options=options, **TESTING)
    evaluator = Evaluator(spaces.get("nas_bench_201"), images(), settings, seed=0, devices=ONE)
    [(_, _, score, _)] = evaluator.score([evaluator.space.supernet()], 0)
    assert score.mean("my_snip") > 0 and score.flags == {"my_snip": ["ok"]}


def test_a_model_of_tokens():
    """κ of a function of tokens, against the Jacobian of its summed logits."""
    names = execute("Tokens")
    model, params, batch = (names[name] for name in ("model", "params", "batch"))
    rows = jax.jacrev(lambda p: model(p, batch.inputs).sum((1, 2)))(params)
    j = np.concatenate(
        [np.asarray(leaf, float).reshape(8, -1) for leaf in jax.tree.leaves(rows)], 1
    )
    eigenvalues = np.linalg.eigvalsh(j @ j.T)
    kappa = eigenvalues[-1] / eigenvalues[0]
    assert names["scores"]["condition_number"] == pytest.approx(kappa, rel=1e-3)
    assert names["scores"]["snip"] > 0


def test_a_space(registries):
    execute("no_pooling")
    space = spaces.get("no_pooling")
    assert space.supernet().sum() == 18
    with pytest.raises(UserError, match="no avg_pool_3x3"):
        space.parse("|avg_pool_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    settings = protocol(
        "reference", metrics=("linear_regions",), batch_size=8, repeats=1, options=REGIONS
    )
    Evaluator(space, images(), settings, seed=0, devices=ONE)


def test_a_strategy(registries):
    execute("Lottery")
    plan = search.strategy("lottery", spaces.get("nas_bench_201"), protocol("reference"))
    kappas = [5.0, 4.0, np.nan, 1.0, 9.0, 3.0, 2.0, 8.0]
    name = "condition_number"
    plan.tell([Score({name: np.array([k])}, {name: ["ok"]}) for k in kappas])
    np.testing.assert_array_equal(plan.result, plan.archs[3])
    assert plan.state() == {"done": True}
    again = search.strategy("lottery", spaces.get("nas_bench_201"), protocol("reference"))
    again.restore({"done": False}, Past())
    assert not again.done


def test_a_strategy_runs_as_a_search(registries, tmp_path, quick_compilation):
    """With real scores, and its result reported, though the library knows nothing of it."""
    execute("Lottery")
    settings = protocol(
        "reference", metrics=("condition_number",), batch_size=4, repeats=1, **TESTING
    )
    space = spaces.get("nas_bench_201")
    evaluator = Evaluator(space, images(), settings, seed=0, devices=ONE)
    plan = search.strategy("lottery", space, settings)
    with Workdir.open(tmp_path / "w", {}) as workdir:
        search.search(plan, evaluator, workdir)
        found = write_result("lottery", plan, evaluator, workdir, None, "reference")
        records = workdir.records()
        again = search.strategy("lottery", space, settings)
        search.search(again, evaluator, workdir)  # which is finished, and restored
        assert workdir.records() == records
    np.testing.assert_array_equal(again.result, plan.result)
    assert found["arch"] == space.to_string(plan.result)
    scores = [record["scores"]["condition_number"]["values"] for record in records]
    assert found["condition_number"] == min(v for values in scores for v in values if v is not None)
