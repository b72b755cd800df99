"""A growth on the page, and what stands there of topologies, which are no graphs."""

import json

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.report.page.architecture import cell_graph
from tenas_jax.report.page.kinds import KINDS, kind_of
from tenas_jax.report.page.run import read_run
from tenas_jax.report.page.words import STRATEGIES

SPACE = spaces.get("as_vit")
TOPOLOGY = "8,2,3|4,1,2|4,1,4|4,1,6|32"
FIRST = "8,2,3,2|4,1,2,1|4,1,4,1|4,1,6,1|32,32"
BAD = "8,2,3,1|4,1,2,2|4,1,4,1|4,1,6,1|32,36"
LAST = "8,2,3,2|4,1,2,1|4,1,4,1|4,1,6,2|32,40"
FAMILY, CANDIDATES, UNTRAINED = "The family", "All candidates", "Accuracy: not trained, unknown."


def numbers(page) -> dict[str, str]:
    """The key numbers of a page of one run."""
    [box, *_] = page.all("dl")
    pairs = zip(box.all("dt"), box.all("dd"), strict=True)
    return {name.text: value.text for name, value in pairs}


def test_a_growth(makers, show, tmp_path):
    page = show(makers["grow"](tmp_path / "run"))
    pairs = numbers(page)
    assert pairs["last network"] == LAST and pairs["topology"] == TOPOLOGY
    assert pairs["strategy"] == STRATEGIES["growth"]
    assert pairs["parameters"] == "3,000,000" and pairs["multiply-adds an image"] == "7,654,321"
    assert pairs["condition number κ"] == "60" and pairs["length distortion"] == "4"
    assert pairs["accuracy"] == "not trained, unknown"
    assert pairs["networks scored"] == "3" and pairs["bad values"] == "1"
    assert page.table(FAMILY) == [
        ["step", "network in full", "parameters", "multiply-adds", "condition number κ",
         "length distortion", "sum of ranks"],
        ["1", FIRST, "1,500,000", "5,872,640", "40.5", "3", "2"],
        ["2", LAST, "3,000,000", "7,654,321", "60", "4", "2"],
    ]  # fmt: skip
    assert UNTRAINED in page.text
    assert page.table(CANDIDATES)[1:] == [
        ["1", "taken", FIRST, "1,500,000", "40.5", "3", "2"],
        ["1", "–", BAD, "1,250,000", "–", "2", "4"],
        ["2", "taken", LAST, "3,000,000", "60", "4", "2"],
    ]
    stages = page.table("The last network's stages, of As-ViT.")
    assert stages[0] == ["stage", "kernel K", "split S", "expansion E", "heads", "blocks", "width"]
    assert stages[1] == ["1", "8", "2", "3", "4", "2", "40"]
    assert stages[4] == ["4", "4", "1", "6", "32", "2", "320"]
    assert len(page.all("svg")) == 1, "the family; a topology is no graph"
    [caption] = [c.text for c in page.all("figcaption") if c.text.startswith("Blocks, width")]
    assert caption.endswith("None of these networks is trained: their accuracies are unknown.")


def test_a_growth_that_goes_on(makers, show, tmp_path):
    page = show(makers["grow"](tmp_path / "run", done=False))
    assert "This growth is not finished: 2 records." in page.text
    pairs = numbers(page)
    assert pairs["networks scored"] == "2" and pairs["of them bad"] == "1"
    assert "accuracy" not in pairs and UNTRAINED in page.text
    family = page.table(FAMILY)
    assert family[0][2:4] == ["parameters", "condition number κ"], "costs are known at its end"
    assert family[1:] == [["1", FIRST, "1,500,000", "40.5", "3", "2"]]
    assert len(page.table(CANDIDATES)) == 3
    assert len(page.all("svg")) == 1


def test_a_growth_that_has_not_made_a_step(makers, show, tmp_path):
    folder = makers["grow"](tmp_path / "run", done=False)
    (folder / "rounds.jsonl").unlink()
    page = show(folder)
    assert numbers(page)["networks scored"] == "2"
    assert not page.all("svg") and "The family" not in page.text


def test_a_growth_in_a_line(makers, tmp_path):
    facts = KINDS["grow"].facts(read_run(makers["grow"](tmp_path / "run"), "x"))
    assert facts.what == f"As-ViT {TOPOLOGY}, preset as_vit, photos, seed 2"
    assert facts.result == "2 networks, up to 3,000,000 parameters"
    assert facts.accuracies == {} and facts.seconds == 125
    begun = read_run(makers["grow"](tmp_path / "begun", done=False), "x")
    assert KINDS["grow"].facts(begun).result == "not finished: 2 records"
    assert KINDS["grow"].facts(begun).seconds == 1.0


@pytest.mark.parametrize("done", [True, False])
def test_a_growth_is_no_search_and_a_search_no_growth(makers, tmp_path, done):
    grown = read_run(makers["grow"](tmp_path / "grown", done=done), "x")
    searched = read_run(makers["search"](tmp_path / "searched", done=done), "x")
    assert kind_of(grown) == "grow" and not KINDS["search"].recognises(grown)
    assert kind_of(searched) == "search" and not KINDS["grow"].recognises(searched)


def search_of_topologies(makers, folder):
    """The workdir of a random search of As-ViT, of three topologies."""
    makers["search"](folder, arch=TOPOLOGY, incumbents=[[1, TOPOLOGY]])
    config = json.loads((folder / "config.json").read_text())
    config |= {"space": "as_vit", "strategy": "random"}
    lines = (folder / "records.jsonl").read_text().splitlines()[:3]
    archs = [SPACE.parse(TOPOLOGY), *SPACE.sample(np.random.default_rng(0), 2)]
    good = {"condition_number": {"values": [50.0], "flags": ["ok"]}}
    records = [
        {**line, "scores": line["scores"] | good, "encoding": SPACE.to_mask(arch).tolist()}
        for line, arch in zip(map(json.loads, lines), archs, strict=True)
    ]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "rounds.jsonl").unlink()
    (folder / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return folder


def test_a_search_of_topologies_has_a_table_of_stages(makers, show, tmp_path):
    page = show(search_of_topologies(makers, tmp_path / "run"))
    assert numbers(page)["architecture"] == TOPOLOGY
    stages = page.table("The choices, of As-ViT.")
    assert stages[1:] == [["1", "8", "2", "3", "4"], ["2", "4", "1", "2", "8"],
                          ["3", "4", "1", "4", "16"], ["4", "4", "1", "6", "32"]]  # fmt: skip
    assert page.table("Every network")[1][-1] == TOPOLOGY
    assert len(page.table("The answer so far")) > 1
    assert len(page.all("svg")) == 1, "what was scored; no cell"


def test_seeds_of_topologies_have_a_table_each(makers, show, tmp_path):
    folder = makers["repeat"](tmp_path / "run", space="as_vit")
    result = json.loads((folder / "result.json").read_text())
    for rows in result["searches"].values():
        for row in rows:
            row["arch"] = TOPOLOGY
    (folder / "result.json").write_text(json.dumps(result))
    page = show(folder)
    stages = page.table("pruning the supernet, seed 1: CIFAR-10 test 94.00 %")
    assert stages[4] == ["4", "4", "1", "6", "32"]
    tables = [f for f in page.all("figure", **{"class": "table"}) if "kernel K" in f.text]
    assert len(tables) == 4 and not page.all("div", **{"class": "gallery"})


@pytest.mark.parametrize("arch, columns", [(TOPOLOGY, 5), (LAST, 7)])
def test_topologies_with_and_without_sizes(arch, columns):
    block = cell_graph("as_vit", arch, "words")
    assert block.type == "table" and len(block.header) == columns and block.caption == "words"


def test_what_is_no_topology():
    note = cell_graph("as_vit", "8,2,3|4")
    assert note.type == "note" and note.text.startswith("The cell is not drawn: topology '8,2,3|4'")
