"""What a finished training prints and writes, and a comparison of several."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tenas_jax.errors import UserError
from tenas_jax.report.training_result import (
    comparison_text,
    mistakes,
    show_result,
    training_text,
    write_comparison,
    write_result,
)
from tenas_jax.runs.workdir import Workdir
from tenas_jax.train import Recipe
from tenas_jax.train.evaluate import Evaluation

CONFUSION = np.array([[8, 2, 0], [0, 9, 1], [5, 0, 5]])
NAMES = ["cat", "dog", "owl"]


def records_of(epochs):
    return [
        {
            "epoch": epoch, "step": 10 * epoch, "train_loss": 2 / epoch, "train_top1": 0.5,
            "test_loss": 1.5, "test_top1": 0.625, "test_top5": 1.0, "learning_rate": 0.125,
            "seconds": 2.0, "images_per_second": 4.0,
        }
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip


@pytest.fixture
def finished(tmp_path, capsys):
    """`(folder, result, printed)` of a training that was made up."""
    card = SimpleNamespace(
        space="nas_bench_201", arch="|none~0|", network={"channels": 2}, label_names=NAMES
    )
    recipe = Recipe(epochs=3, batch_size=4, learning_rate=0.1)
    training = SimpleNamespace(
        card=card, recipe=recipe, steps=30, multiply_adds=1234567, compile_seconds=4.0,
        multiply_adds_trained=2469134000, multiply_adds_saved=0.375,
    )  # fmt: skip
    params = {"stem": np.zeros((3, 5)), "auxiliary": np.zeros(1000)}
    state = {"weights": {"params": params}}
    evaluation = Evaluation(0.75, 22 / 30, 1.0, CONFUSION)
    with Workdir.open(tmp_path, {}) as workdir:
        for record in records_of(3):
            workdir.append(record)
        result = write_result(training, state, evaluation, workdir)
    return tmp_path, result, capsys.readouterr().out


def test_the_result_is_written_printed_and_drawn(finished):
    folder, result, printed = finished
    assert json.loads((folder / "result.json").read_text()) == result
    assert (folder / "train.png").read_bytes().startswith(b"\x89PNG")
    assert result["parameters"] == 15, "an auxiliary head is of use in training only"
    assert result["confusion"] == CONFUSION.tolist() and result["label_names"] == NAMES
    assert (result["epochs"], result["steps"], result["seconds"]) == (3, 30, 6)
    for line in (
        "architecture    |none~0|",
        "test top-1      73.33 % of 30 images",
        "multiply-adds   1,234,567 an image",
        "in training     2,469,134,000 multiply-adds forward, 37.5 % saved by coarse tokens",
        "trained         3 epochs, 30 steps in 6 s, and 4 s compiling",
        "taken for       owl for cat, 5 of 10",
    ):
        assert line in printed.splitlines()
    assert sum(line.split()[:1] == [str(n)] for n in (1, 2, 3) for line in printed.split("\n")) == 3


def test_a_finished_training_is_shown_again(finished, capsys):
    folder, result, printed = finished
    assert show_result(Workdir.read(folder)) == result
    assert capsys.readouterr().out == printed


def test_a_result_without_coarse_tokens_does_not_speak_of_them(finished):
    _, result, _ = finished
    older = {k: v for k, v in result.items() if not k.startswith("multiply_adds_")}
    assert "coarse" in training_text(result, records_of(3))
    for result_of in (older, {**result, "multiply_adds_saved": 0.0}):
        text = training_text(result_of, records_of(3))
        assert "coarse" not in text and "1,234,567 an image" in text


@pytest.mark.parametrize("text", ["{}", '{"top1": 0.5}', "nonsense"])
def test_a_damaged_result_is_one_line(finished, text):
    folder = finished[0]
    (folder / "result.json").write_text(text)
    with pytest.raises(UserError, match=f"cannot read {folder / 'result.json'}"):
        show_result(Workdir.read(folder))


def test_long_trainings_show_some_epochs_and_unknown_values_a_dash(finished):
    _, result, _ = finished
    records = records_of(600)
    records[0]["test_top1"] = records[0]["test_loss"] = None
    text = training_text(result, records)
    table = text.split("\n\n")[0].splitlines()[2:]
    assert len(table) == 20
    assert [line.split()[0] for line in (table[0], table[-1])] == ["1", "600"]
    assert "None" not in text and "62.50 %" not in table[0] and "62.50 %" in table[1]


def test_the_worst_mistakes_come_first_and_right_answers_are_none():
    assert mistakes(CONFUSION, NAMES) == [
        "owl for cat, 5 of 10",
        "cat for dog, 2 of 10",
        "dog for owl, 1 of 10",
    ]
    assert mistakes(np.diag([3, 4, 5]), NAMES) == []


def results_of(*top1):
    names = ["found", *(f"random-{i}" for i in range(len(top1) - 1))]
    return {
        name: {"top1": value, "arch": f"|{name}|", "parameters": 1000 + i}
        for i, (name, value) in enumerate(zip(names, top1, strict=True))
    }


def test_a_comparison_is_with_the_mean_of_the_random_ones(tmp_path, capsys):
    with Workdir.open(tmp_path, {"data": "cifar10"}) as workdir:
        compared = write_comparison(results_of(0.8, 0.7, 0.85, 0.6), workdir)
    assert json.loads((tmp_path / "result.json").read_text()) == compared
    assert compared["random_mean"] == pytest.approx(2.15 / 3)
    assert compared["random_deviation"] == pytest.approx(np.std([0.7, 0.85, 0.6], ddof=1))
    assert compared["lead"] == pytest.approx(0.8 - 2.15 / 3)
    printed = capsys.readouterr().out
    assert "random          71.67 % ± 12.58, mean of 3" in printed
    assert "found           +8.33 points, better than 2" in printed
    assert all(f"|random-{i}|" in printed and f"1,00{i}" in printed for i in range(3))


def test_a_comparison_is_a_table_of_accuracies_too(tmp_path):
    with Workdir.open(tmp_path, {"data": "there/tiny.npz"}) as workdir:
        compared = write_comparison(results_of(0.8, 0.7, 0.85), workdir)
    table = pd.read_csv(tmp_path / "accuracies.csv")
    assert list(table.columns) == ["arch", "parameters", "tiny_test"]
    assert table["arch"].tolist() == list(compared["archs"].values())
    assert table["tiny_test"].tolist() == pytest.approx([80, 70, 85])
    assert (tmp_path / "archs.txt").read_text().split() == table["arch"].tolist()


def test_a_lead_may_be_negative_and_one_has_no_deviation(tmp_path):
    with Workdir.open(tmp_path, {}) as workdir:
        compared = write_comparison(results_of(0.5, 0.75), workdir)
    assert compared["random_deviation"] is None and compared["lead"] == -0.25
    text = comparison_text(compared)
    assert "found           -25.00 points, better than 0" in text and "±" not in text
