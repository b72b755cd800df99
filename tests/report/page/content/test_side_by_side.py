"""Several runs: a row each, where they differ, and τ over studies."""

import json

import pytest

from tenas_jax.report.page.kinds import KINDS
from tenas_jax.report.page.run import read_runs
from tenas_jax.report.page.side_by_side import Entry, overview


@pytest.fixture
def beside(makers, tmp_path):
    """A function that gives what stands above studies that differ in what is given."""

    def beside(*changes: dict) -> list:
        write = makers["correlate"]
        paths = [write(tmp_path / f"run{i}", **change) for i, change in enumerate(changes)]
        runs = read_runs([str(path) for path in paths])
        return overview([Entry(run, "correlate", run.name) for run in runs]).blocks

    return beside


def titles(page) -> list[str]:
    return [figure.all("figcaption")[0].text for figure in page.all("figure")]


def rows_of(table) -> dict[str, dict[str, str]]:
    """The texts of each row by its first one and the header."""
    texts = [[cell.text for cell in row] for row in table.rows]
    return {row[0]: dict(zip(table.header, row, strict=True)) for row in texts}


def of_each_kind(makers, folder, done: bool) -> dict[str, dict[str, str]]:
    """The rows of a run of each kind."""
    paths = [str(makers[kind](folder / kind, done=done)) for kind in KINDS]
    entries = zip(read_runs(paths), KINDS, strict=True)
    return rows_of(overview([Entry(run, kind, kind) for run, kind in entries]).blocks[0])


def test_every_run_has_a_row(makers, tmp_path):
    rows = of_each_kind(makers, tmp_path, True)
    assert list(rows) == list(KINDS)
    assert {name: row["kind"] for name, row in rows.items()} == {
        name: kind.words for name, kind in KINDS.items()
    }
    search = rows["search"]
    assert search["CIFAR-10 test"] == "93.25" and search["CIFAR-100 test"] == "–"
    assert search["result"] == "condition number κ 50, linear regions 44"
    assert search["seconds"] == "125" and search["device"] == "abacus" and search["JAX"] == "9.8"
    assert search["commit"] == "0123456789, changed"
    assert rows["train"]["test top-1"] == rows["compare"]["test top-1"] == "75.00"
    assert rows["repeat"]["CIFAR-10 test"] == "93.50"
    assert rows["correlate"]["result"] == "best τ 0.612: rank sum, CIFAR-10 test"


def test_runs_that_go_on_have_a_row_too(makers, tmp_path):
    rows = of_each_kind(makers, tmp_path, False)
    assert len(rows) == len(KINDS)
    assert all("not finished" in row["result"] for row in rows.values())


def test_one_run_stands_beside_none(makers, show, tmp_path):
    page = show(makers["train"](tmp_path / "run", done=False))
    assert not any(caption.startswith("Every run") for caption in titles(page))


def test_the_fields_that_differ_are_named(beside):
    _, differ, *_ = beside({"batch_size": 16}, {"batch_size": 32, "seed": 1})
    assert differ.caption == "Where the configs of these runs differ: rank study."
    assert list(differ.header) == ["run", "batch_size", "seed"]
    assert [[c.text for c in r] for r in differ.rows] == [["run0", "16", "0"], ["run1", "32", "1"]]


def test_where_the_data_lies_is_no_difference(makers, tmp_path):
    for name, path in (("a", "/here"), ("b", "/there")):
        config_file = makers["search"](tmp_path / name, done=False) / "config.json"
        config = json.loads(config_file.read_text())
        config_file.write_text(json.dumps({**config, "data_dir": path, "cpu_devices": len(name)}))
    runs = read_runs([str(tmp_path / name) for name in "ab"])
    blocks = overview([Entry(run, "search", run.name) for run in runs]).blocks
    assert len(blocks) == 1


def drawn(blocks) -> list[str]:
    """Titles of the pictures that are not folded."""
    return [
        b.picture.figure._suptitle.get_text().replace("\n", " ") for b in blocks
        if b.type == "figure"
    ]  # fmt: skip


def test_tau_is_drawn_against_what_differs(beside):
    blocks = beside({}, {"batch_size": 32})
    start = "Kendall's τ with CIFAR-10 test accuracy against "
    ends = ("images N of the kernel", "repeats averaged", "seconds an architecture")
    assert drawn(blocks) == [start + end for end in ends]
    texts = blocks[2].picture.hovers
    # κ and the rank sum of each study; κ in CIFAR-100 is undefined, that of CIFAR-10 is not.
    assert len(texts) == 2
    assert any("0.612" in text for text in sum(texts.values(), []))
    folded = [b.title for b in blocks if b.type == "fold"]
    assert folded == [f"CIFAR-100 test, against {end}" for end in ends]


def test_and_not_against_what_is_the_same(beside):
    blocks = beside({"repeats": 1}, {"repeats": 1})
    assert [block.type for block in blocks] == ["table"], "and equal configs are not compared"
