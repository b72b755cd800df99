"""A whole search of DARTS's space by the evaluator that serves every space, stopped and resumed."""

import jax
import numpy as np
import pytest

from tenas_jax import data, spaces
from tenas_jax.report.search_result import write_result
from tenas_jax.runs.listeners import Listener
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.presets import protocol
from tenas_jax.search import search, strategy

SPACE = spaces.get("darts")
# Without the kernel, whose program takes long to compile: golden values cover it.
REGIONS = {"linear_regions": {"batch_size": 30}}
PROTOCOL = protocol(
    "reference", metrics=("linear_regions",), batch_size=4, repeats=1, options=REGIONS
)

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture(scope="module")
def evaluator():
    photos = data.load("photos", size=8, limit=40)
    return Evaluator(SPACE, photos, PROTOCOL, seed=0, devices=jax.devices()[:2])


def plan():
    return strategy("pruning", SPACE, PROTOCOL, per_round=3)


class Stopped(Exception):
    pass


class StopAfter(Listener):
    """Ends the run when so many networks were scored in a round."""

    def __init__(self, round_, scored):
        self.last = f"round {round_}", scored

    def on_progress(self, what, done, total):
        if (what, done) == self.last:
            raise Stopped


def scores(workdir):
    return [
        (r["round"], r["key"], r["scores"]["linear_regions"]["values"]) for r in workdir.records()
    ]


def test_a_search_ends_in_a_genotype_and_resumes_to_the_same(tmp_path, evaluator, capsys):
    whole = plan()
    with Workdir.open(tmp_path / "whole", {}) as workdir:
        search(whole, evaluator, workdir)
        wanted = scores(workdir)
        result = write_result("pruning", whole, evaluator, workdir, None, "reference")
    assert len({(r, key) for r, key, _ in wanted}) == len(wanted) == 332 + 9
    text = SPACE.to_string(whole.result)
    assert result["arch"] == text and text in capsys.readouterr().out
    assert (tmp_path / "whole" / "search.png").stat().st_size > 10_000

    for stop in ((0, 100), (4, 2), (8, 1)):  # among operations, among edges, before the last state
        resumed = plan()
        with Workdir.open(tmp_path / "resumed", {}) as workdir, pytest.raises(Stopped):
            search(resumed, evaluator, workdir, StopAfter(*stop))
    resumed = plan()
    with Workdir.open(tmp_path / "resumed", {}) as workdir:
        search(resumed, evaluator, workdir)
        assert scores(workdir) == wanted
    for name in ("rounds.jsonl", "checkpoint.json"):
        assert (tmp_path / "resumed" / name).read_text() == (tmp_path / "whole" / name).read_text()
    np.testing.assert_array_equal(resumed.result, whole.result)
    assert resumed.history == whole.history
