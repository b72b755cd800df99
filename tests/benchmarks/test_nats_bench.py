"""NATS-Bench's directory, written here in the official layout and read by its own package."""

import bz2
import pickle
import sys

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.benchmarks import Table, load
from tenas_jax.benchmarks.nats_bench import COSTS, EPOCHS, SETS, read_nats_bench, write_accuracies
from tenas_jax.errors import UserError

from .nats_directory import PARTS, SEEDS, accuracy, write, write_directory

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
    for column, pair in SETS.items():
        dataset, part = column.rsplit("_", 1)
        name = {"val": "valid", "test": "test"}[part]
        assert remap_dataset_set_names(theirs[dataset], name) == pair


def test_they_are_those_that_the_package_gives(folder):
    """Where nothing is missing: `get_more_info` averages over seeds, if it is told to."""
    from nats_bench import create

    table, api = load(folder, SPACE), create(str(folder), "tss", fast_mode=True, verbose=False)
    for column, (dataset, part) in SETS.items():
        for hp, suffix in EPOCHS.items():
            info = api.get_more_info(1, dataset, hp=hp, is_random=False)
            name = "valid-accuracy" if part == "x-valid" else "test-accuracy"
            assert table.row_at(1)[column + suffix] == pytest.approx(info[name])


def change(path, changed):
    """Writes a file anew, with what `changed` does to the object in it."""
    states = pickle.loads(bz2.decompress(path.read_bytes()))
    changed(states)
    write(path, states)


def trials(states, hp="200", dataset="cifar100"):
    """The states of an architecture's trainings, by seed."""
    results = states[hp]["all_results"].items()
    return {seed: trial for (name, seed), trial in results if name == dataset}


def all_without_seeds(states):
    for state in states.values():
        state["dataset_seed"] = {name: [] for name in PARTS}


# what is missing of architecture 0 -> which seeds' mean is left on CIFAR-100's test set, if any
GAPS = {
    "epochs": (lambda s: s.pop("200"), ()),
    "data set": (lambda s: s["200"]["dataset_seed"].pop("cifar100"), ()),
    "seeds": (lambda s: s["200"]["dataset_seed"].update(cifar100=[]), ()),
    "a seed": (lambda s: s["200"]["dataset_seed"].update(cifar100=[777, 888]), (777, 888)),
    "a seed's set": (lambda s: trials(s)[999]["eval_acc1es"].pop("x-test@199"), (777, 888)),
    "a seed's number": (lambda s: trials(s)[777]["eval_acc1es"].update({"x-test@199": None}),
                        (888, 999)),
    "all": (all_without_seeds, ()),
}  # fmt: skip


@pytest.mark.parametrize("gap", GAPS)
def test_what_is_missing_is_blank_and_the_rest_is_read(folder, gap):
    changed, seeds = GAPS[gap]
    whole = load(folder, SPACE)
    change(folder / "000000.pickle.pbz2", changed)
    table = load(folder, SPACE)
    row, before = table.row_at(0), whole.row_at(0)
    if seeds:
        expected = np.mean([accuracy(0, "cifar100", "x-test", s, 200) for s in seeds])
        assert row["cifar100_test"] == pytest.approx(expected) != before["cifar100_test"]
    else:
        assert np.isnan(row["cifar100_test"])
    for name in ("cifar100_test_12ep", "params_m", "flops_m"):
        expected = np.nan if gap == "all" else before[name]
        assert row[name] == pytest.approx(expected, nan_ok=True)
    assert table.row_at(1) == whole.row_at(1)


def disagreeing(states, hp, dataset):
    """Seeds of which the package trusts none, since 888 is not among them."""
    states[hp]["dataset_seed"][dataset] = [777, 999]
    trials(states, hp, dataset)[999].update(params=9.0, flop=900.0)


def test_costs_are_of_the_first_trainings_that_tell_them(folder):
    def params():
        return load(folder, SPACE).row_at(0)["params_m"]

    file = folder / "000000.pickle.pbz2"
    change(file, lambda s: [t.update(params=0.5) for t in trials(s, "12", "cifar10").values()])
    change(file, lambda s: [t.update(params=0.7) for t in trials(s, dataset="cifar10").values()])
    assert params() == pytest.approx(0.7)
    change(file, lambda s: disagreeing(s, "200", "cifar10"))
    assert params() == pytest.approx(0.1)
    change(file, lambda s: disagreeing(s, "200", "cifar10-valid"))
    assert params() == pytest.approx(0.5)
    change(file, lambda s: s["12"]["dataset_seed"].clear())
    assert np.isnan(params())


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
    unknown = bz2.compress(b"cno_such_module\nthing\n.")  # a pickle that imports it
    for content in (b"", b"no archive", b"BZh9", unknown):
        (folder / "000001.pickle.pbz2").write_bytes(content)
        with pytest.raises(UserError, match="cannot read .*000001.pickle.pbz2: ") as caught:
            load(folder, SPACE)
        assert "\n" not in str(caught.value)
    write(folder / "000001.pickle.pbz2", {"200": {"all_results": 3}})
    with pytest.raises(UserError, match="cannot read .*000001.pickle.pbz2: "):
        load(folder, SPACE)


def test_a_directory_of_other_architectures_is_refused_before_it_is_read(folder, monkeypatch):
    monkeypatch.setattr("nats_bench.NATStopology.reload", None)
    write(folder / "meta.pickle.pbz2", [1, 2])
    with pytest.raises(UserError, match="cannot read .*meta.pickle.pbz2: "):
        load(folder, SPACE)
    # NATS-Bench's size benchmark has the same layout.
    for archs, message in ((["8:8:16:8:64"], "architecture '8:8:16"), ([], "meta.* names nothing")):
        write(folder / "meta.pickle.pbz2", {"meta_archs": archs})
        with pytest.raises(UserError, match=f"is no topology directory of NATS-Bench: {message}"):
            load(folder, SPACE)


def test_the_package_is_optional(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "nats_bench", None)
    words = r"^\S+NATS-simple: NATS-Bench needs nats_bench .pip install 'tenas_jax\[nats_bench\]'.$"
    with pytest.raises(UserError, match=words):
        load(folder, SPACE)
