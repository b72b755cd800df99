"""What the page says of each kind of run."""

import json

import pytest

from tenas_jax.report.page.kinds import KINDS

ARCH = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"


def numbers(page) -> dict[str, str]:
    """The key numbers of a page of one run."""
    [box, *_] = page.all("dl")
    pairs = zip(box.all("dt"), box.all("dd"), strict=True)
    return {name.text: value.text for name, value in pairs}


def pictures(page) -> int:
    return len(page.all("svg"))


def test_a_search(makers, show, tmp_path):
    page = show(makers["search"](tmp_path / "run"))
    pairs = numbers(page)
    assert pairs["architecture"] == ARCH
    assert pairs["condition number κ"] == "50" and pairs["linear regions"] == "44"
    assert pairs["CIFAR-10 test, published"] == "93.25 %"
    assert pairs["CIFAR-100 test, published"] == "–"
    assert pairs["scoring"] == "2 min 5 s"
    assert "TE-NAS" in pairs["strategy"]
    rounds = page.table("The supernet in each round")
    assert rounds[0] == ["round", "operations", "condition number κ", "linear regions",
                         "pruned (edge: operation)"]  # fmt: skip
    # 24 operations and `none` on 3<-1; that is the one which is kept there.
    assert rounds[1][:4] == ["0", "25", "300", "40.5"]
    assert rounds[1][4].startswith("1<-0: skip_connect, 2<-0: skip_connect, 2<-1: nor_conv_1x1")
    assert rounds[-1][1] == "6" and rounds[-1][4] == "–"
    networks = page.table("Every network")
    assert networks[1] == ["1", "0", "300", "40.5", "–", "the supernet"]
    assert networks[2] == ["2", "0", "–", "12", "singular", "without 1<-0: skip_connect"]
    assert networks[-1][-1] == ARCH
    assert pictures(page) == 3, "the cell, the pruning and the path"


def test_a_search_that_goes_on(makers, show, tmp_path):
    page = show(makers["search"](tmp_path / "run", done=False))
    assert "This search is not finished: 3 records." in page.text
    assert numbers(page)["of them bad"] == "1"
    assert len(page.table("The supernet in each round")) == 3
    assert pictures(page) == 1, "the path alone"


def test_a_long_list_of_networks_is_cut_and_that_is_said(makers, show, tmp_path, monkeypatch):
    monkeypatch.setattr("tenas_jax.report.page.search_page.MOST_ROWS", 4)
    folder = makers["search"](tmp_path / "run")
    total = len((folder / "records.jsonl").read_text().splitlines())
    page = show(folder)
    assert len(page.table("Every network")) == 5
    assert f"The first 4 of {total} are listed." in page.text


def test_a_random_search_has_no_rounds(makers, show, tmp_path):
    folder = makers["search"](tmp_path / "run")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "strategy": "random"}))
    (folder / "rounds.jsonl").unlink()
    page = show(folder)
    assert "random search" in numbers(page)["strategy"]
    assert pictures(page) == 1
    assert page.table("Every network")[2][-1] == "supernet of 24 operations"


def test_a_rank_study(makers, show, tmp_path):
    page = show(makers["correlate"](tmp_path / "run"))
    pairs = numbers(page)
    assert pairs["architectures"] == "12"
    assert pairs["scoring"] == "3.0 s"
    best = "0.612 [0.562, 0.662]: rank sum (parameters alone 0.700)"
    assert pairs["best τ, CIFAR-10 test"] == best
    table = page.table("How well each score ranks the CIFAR-10 test accuracy of 12 arch")
    rows = [dict(zip(table[0], row, strict=True)) for row in table[1:]]
    assert rows[0]["τ [95 %]"] == "0.400 [0.350, 0.450]"
    assert rows[0]["ρ [95 %]"] == "–" and rows[0]["best rank in top 10"] == "7"
    assert rows[0]["remark"] == "a remark" and rows[0]["seconds each"] == "0.16"
    assert [row["score"] for row in rows] == ["condition number κ", "rank sum", "parameters"]
    other = page.table("How well each score ranks the CIFAR-100 test")
    assert other[1][1] == "–" and other[2][1] == "0.500 [0.450, 0.550]"
    assert pictures(page) == 2 + 2 + 1, "scores and repeats for each column, and the spectra"
    # κ of 11 architectures, one is blank; regions and parameters of all.
    first = page.all("svg")[0]
    texts = [e.attributes["data-hover"] for e in first.all() if "data-hover" in e.attributes]
    assert len(texts) == 11 + 12 + 12
    assert "condition number κ 11.5" in texts[0]


def test_architectures_that_marks_name_are_written_once(makers, show, tmp_path):
    page = show(makers["correlate"](tmp_path / "run"))
    [script] = page.all("script", id="archs")
    archs = json.loads(script.text)
    assert len(archs) == len(set(archs)) == 12
    marks = [e for e in page.all("svg")[0].all() if "data-hover" in e.attributes]
    numbers = [int(m.attributes["data-hover"].split("\n")[0].removeprefix("@")) for m in marks]
    assert sorted(numbers)[-1] == 11
    # The first of κ is the second of the file, whose score is not blank.
    rows = (tmp_path / "run" / "scores.csv").read_text().splitlines()
    assert rows[2].startswith(archs[numbers[0]])
    boxes = [f for f in page.all("figure") if "data-archs" in f.attributes]
    assert len(boxes) == 2, "a figure whose texts the script expands"


def test_a_study_of_a_table_lacks_what_is_not_known(makers, show, tmp_path):
    how = {"preset": None, "engine": None, "scores": "scores.csv", "seconds": None}
    folder = makers["correlate"](tmp_path / "run", **how)
    for name in ("records.jsonl", "scores.csv", "spectra.json"):
        (folder / name).unlink()
    page = show(folder)
    assert numbers(page)["scores"] == "of scores.csv" and numbers(page)["scoring"] == "–"
    assert "engine" not in numbers(page)
    assert pictures(page) == 2, "by repeats alone"


def test_scores_that_are_not_ranked_yet(makers, show, tmp_path):
    page = show(makers["correlate"](tmp_path / "run", done=False))
    assert "These scores are not ranked yet; not finished: 12 records." in page.text


def test_a_search_over_seeds(makers, show, tmp_path):
    page = show(makers["repeat"](tmp_path / "run"))
    assert numbers(page)["all architectures, CIFAR-10 test"] == "mean 87.06 of 15,625, best 94.37"
    rows = page.table("What the searches came to")
    assert rows[1][:6] == ["CIFAR-10 test", "pruning the supernet", "2", "93.50 [91.25, 95.75]",
                           "0.50", "7.40 %"]  # fmt: skip
    assert rows[1][6] == "2.50" and rows[2][6] == "–"
    seeds = page.table("What each seed found")
    assert seeds[1] == ["pruning the supernet", "0", "93.00", "25", "40", ARCH]
    assert len(seeds) == 5
    assert pictures(page) == 1 + 4, "accuracy by cost, and a cell a seed"
    captions = [c.text for c in page.all("figcaption")]
    assert "pruning the supernet, seed 1: CIFAR-10 test 94.00 %" in captions


def test_searches_over_seeds_that_go_on(makers, show, tmp_path):
    assert "not all finished" in show(makers["repeat"](tmp_path / "run", done=False)).text


def test_a_training(makers, show, tmp_path):
    page = show(makers["train"](tmp_path / "run"))
    pairs = numbers(page)
    assert pairs["test top-1"] == "75.00 %" and pairs["parameters"] == "12,345"
    epochs = page.table("Each epoch")
    assert epochs[1][:5] == ["1", "1.5", "50.00 %", "1.25", "–"]
    assert epochs[2][4] == "75.00 %"
    confused = page.table("The classes that are confused")
    # Of 7 dogs 2 are taken for cats, of 4 cats 1 for a dog; no emu is confused.
    assert confused[1:] == [["dog", "cat", "2", "28.57 %"], ["cat", "dog", "1", "25.00 %"]]
    assert pictures(page) == 2


def test_a_training_with_coarse_tokens_tells_what_they_saved(makers, show, tmp_path):
    changes = {"multiply_adds_trained": 98765, "multiply_adds_saved": 0.375}
    run = makers["train"](tmp_path / "run", **changes)
    assert "saved by coarse tokens" not in numbers(show(makers["train"](tmp_path / "older")))
    lines = map(json.loads, (run / "records.jsonl").read_text().splitlines())
    staged = [json.dumps({**line, "coarse": 3 - line["epoch"]}) + "\n" for line in lines]
    (run / "records.jsonl").write_text("".join(staged))
    page = show(run)
    pairs = numbers(page)
    assert pairs["saved by coarse tokens"] == "37.50 %"
    assert pairs["multiply-adds in training, forward"] == "98,765"
    epochs = page.table("Each epoch")
    assert epochs[0][-1] == "token size" and [row[-1] for row in epochs[1:]] == ["2", "1"]


def test_a_training_without_mistakes(makers, show, tmp_path):
    page = show(makers["train"](tmp_path / "run", confusion=[[1, 0, 0], [0, 1, 0], [0, 0, 1]]))
    assert "No test image is taken for another class." in page.text


def test_a_training_that_goes_on(makers, show, tmp_path):
    page = show(makers["train"](tmp_path / "run", done=False))
    assert numbers(page)["epochs"] == "1 of 2"
    assert len(page.table("Each epoch")) == 2


def test_a_comparison(makers, show, tmp_path):
    page = show(makers["compare"](tmp_path / "run"))
    pairs = numbers(page)
    assert pairs["lead"] == "+5.00 points" and pairs["better than"] == "1 of 1"
    assert pairs["mean of the random ones"] == "70.00 %"
    assert page.table("Each training")[1][:3] == ["found", "75.00 %", "2,000"]
    assert pictures(page) == 2, "the cell and the curves"


def test_a_comparison_that_goes_on(makers, show, tmp_path):
    page = show(makers["compare"](tmp_path / "run", done=False))
    assert "2 trainings were begun" in page.text
    assert pictures(page) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_missing_values_are_never_shown_as_such(kind, makers, show, tmp_path, monkeypatch):
    monkeypatch.setattr("tenas_jax.report.page.to_svg", lambda *_: "")
    for name, done in (("finished", True), ("begun", False)):
        page = show(makers[kind](tmp_path / name, done=done))
        shown = [e.text.strip() for tag in ("td", "dd", "p") for e in page.all(tag)]
        assert not {"nan", "None", "inf", "null", ""} & set(shown)
