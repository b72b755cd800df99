"""NATS-Bench's directory, written here in the official layout and read by its own package."""

import sys

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.benchmarks import Table, load
from tenas_jax.benchmarks.nats_bench import COSTS, EPOCHS, SETS, read_nats_bench, write_accuracies
from tenas_jax.errors import UserError

from .nats_directory import SEEDS, accuracy, write, write_directory

pytest.importorskip("nats_bench")

SPACE = spaces.get("nas_bench_201")
ARCHS = [SPACE.to_string(SPACE.from_index(i)) for i in (9000, 12, 4321)]
GONE = {2: ("cifar10", "ImageNet16-120")}


@pytest.fixture
def folder(tmp_path):
    write_directory(tmp_path / "NATS-simple", ARCHS, GONE)
    return tmp_path / "NATS-simple"


def test_accuracies_are_means_over_seeds_of_the_right_sets(folder):
    table = load(folder, SPACE)
    assert table.archs == tuple(ARCHS)
    names = [name + suffix for suffix in EPOCHS.values() for name in SETS]
    assert table.columns == (*names, *COSTS)
    for index, arch in enumerate(ARCHS):
        row = table.row(arch)
        for column, (dataset, part) in SETS.items():
            seeds = SEEDS[: 3 - index % 2]
            expected = np.mean([accuracy(index, dataset, part, s, 200) for s in seeds])
            if dataset in GONE.get(index, ()):
                assert np.isnan(row[column])
            else:
                assert row[column] == pytest.approx(expected)
            once = accuracy(index, dataset, part, SEEDS[0], 12)
            assert row[f"{column}_12ep"] == pytest.approx(once)
        assert row["params_m"] == pytest.approx(0.1 * (index + 1))
        assert row["flops_m"] == pytest.approx(10 * (index + 1))


def test_which_set_is_which():
    """As NATS-Bench's paper and its package's `remap_dataset_set_names` say."""
    from nats_bench.api_utils import remap_dataset_set_names

    theirs = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16_120": "ImageNet16-120"}
    for column, found in SETS.items():
        dataset, part = column.rsplit("_", 1)
        name = {"val": "valid", "test": "test"}[part]
        assert remap_dataset_set_names(theirs[dataset], name) == found


def test_look_up_by_string_index_and_canonical_form(folder):
    table = load(folder, SPACE)
    assert table.datasets == ("cifar10", "cifar100", "imagenet16_120")
    assert table.row_at(1) == table.row(ARCHS[1]) == table.row(ARCHS[1].replace("+", " + "))
    assert table.index_of(ARCHS[2]) == 2
    assert table.equivalents(ARCHS[2]) == ARCHS[2:]
    assert table.equivalents(ARCHS[1]) == ARCHS[:2]  # in both nothing reaches the output
    with pytest.raises(UserError, match="no architecture"):
        table.row(SPACE.to_string(SPACE.from_index(1)))


def test_one_architecture_is_in_memory_at_a_time(folder, monkeypatch):
    import nats_bench

    made, sizes = [], []
    create = nats_bench.create
    monkeypatch.setattr(
        nats_bench, "create", lambda *a, **k: made.append(create(*a, **k)) or made[-1]
    )
    read_nats_bench(folder, SPACE, lambda *_: sizes.append(len(made[0].arch2infos_dict)))
    assert sizes == [0, 0, 0]


def test_it_says_nothing_but_its_progress(folder, capfd):
    seen = []
    read_nats_bench(folder, SPACE, lambda *numbers: seen.append(numbers))
    assert seen == [(1, 3), (2, 3), (3, 3)] and capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_of_it_comes_back_the_same(folder, tmp_path, suffix):
    table = load(folder, SPACE)
    write_accuracies(tmp_path / f"table.{suffix}", table)
    again = Table.load(tmp_path / f"table.{suffix}", SPACE)
    assert (again.archs, again.columns) == (table.archs, table.columns)
    for name in table.columns:
        np.testing.assert_array_equal(again.column(name), table.column(name))
    assert [again.index_of(arch) for arch in ARCHS] == [0, 1, 2]


def test_the_short_names_of_files_are_read_too(folder):
    for index in range(3):
        (folder / f"{index:06d}.pickle.pbz2").rename(folder / f"{index}.pickle.pbz2")
    assert load(folder, SPACE).archs == tuple(ARCHS)


def test_mistakes_are_one_line(folder, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="is of nas_bench_201, not of darts"):
        load(folder, spaces.get("darts"))
    (folder / "000001.pickle.pbz2").rename(tmp_path / "kept")
    with pytest.raises(UserError, match="incomplete: it has no 000001.pickle.pbz2"):
        load(folder, SPACE)
    for content in (b"", b"no archive", b"BZh9"):
        (folder / "000001.pickle.pbz2").write_bytes(content)
        with pytest.raises(UserError, match="cannot read .*000001.pickle.pbz2: ") as caught:
            load(folder, SPACE)
        assert "\n" not in str(caught.value)
    write(folder / "000001.pickle.pbz2", {"200": {"all_results": 3}})
    with pytest.raises(UserError, match="cannot read .*000001.pickle.pbz2: "):
        load(folder, SPACE)
    (tmp_path / "kept").rename(folder / "000001.pickle.pbz2")
    write(folder / "meta.pickle.pbz2", [1, 2])
    with pytest.raises(UserError, match="cannot read .*meta.pickle.pbz2: "):
        load(folder, SPACE)
    monkeypatch.setitem(sys.modules, "nats_bench", None)
    with pytest.raises(UserError, match=r"pip install 'tenas_jax\[nats_bench\]'"):
        load(folder, SPACE)
