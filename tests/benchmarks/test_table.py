"""Look-ups in a small table written here, and in the published one."""

import numpy as np
import pandas as pd
import pytest

from tenas_jax import spaces
from tenas_jax.benchmarks import Table, load
from tenas_jax.errors import UserError

SPACE = spaces.get("nas_bench_201")
SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
SKIP_TOO = "|none~0|+|skip_connect~0|none~1|+|none~0|none~1|skip_connect~2|"
CONV = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"
ABSENT = "|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|"


def frame(**changes):
    columns = {
        "index": [7, 3, 5],
        "arch": [SKIP, CONV, SKIP_TOO],
        "accuracy": [50.0, 90.0, 51.0],
        "params_m": [0.5, np.nan, 0.25],
        "per_seed": ["50;50", "90;90", "51;51"],
    }
    return pd.DataFrame(columns | changes)


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.csv"
    frame().to_csv(path, index=False)
    return Table.load(path, SPACE)


def test_rows_by_string_array_and_index(small):
    assert small.columns == ("accuracy", "params_m")
    assert small.archs == (SKIP, CONV, SKIP_TOO) and len(small) == 3
    expected = {"accuracy": 51.0, "params_m": 0.25}
    assert small.row(SKIP_TOO) == small.row(SPACE.parse(SKIP_TOO)) == expected
    assert small.row_at(5) == small.row_at(np.int64(5)) == expected
    assert small.index_of(SKIP_TOO) == 5
    np.testing.assert_array_equal(small.arch_at(3), SPACE.parse(CONV))


def test_another_spelling_finds_the_same_row(small):
    loose = " |none~0| + |none~1|skip_connect~0| + |skip_connect~2|none~1|none~0| "
    assert small.row(loose) == small.row(SKIP_TOO)
    assert loose in small and ABSENT not in small


def test_a_table_written_in_another_spelling_is_found_by_the_usual_one():
    loose = CONV.replace("+", " + ")
    table = Table(frame(arch=[SKIP, loose, SKIP_TOO]), SPACE)
    assert table.archs[1] == CONV and table.row(CONV)["accuracy"] == 90.0


def test_blanks_are_nan(small):
    assert np.isnan(small.row(CONV)["params_m"])
    assert small.best("params_m") == (SKIP, 0.5)


def test_equivalents_share_a_canonical_form(small):
    third = "|skip_connect~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"
    assert third not in small
    assert small.equivalents(third) == [SKIP, SKIP_TOO]
    assert small.equivalents(CONV) == [CONV]
    with pytest.raises(UserError, match="equivalent to '.*avg_pool_3x3~0"):
        small.equivalents(ABSENT)


def test_columns_as_arrays(small):
    np.testing.assert_array_equal(small.column("accuracy"), [50, 90, 51])
    picked = small.column("accuracy", [CONV, SPACE.parse(SKIP)])
    np.testing.assert_array_equal(picked, [90, 50])
    small.column("accuracy")[:] = 0
    assert small.row(CONV)["accuracy"] == 90.0
    with pytest.raises(UserError, match="unknown column 'acuracy'.*mean 'accuracy'.*params_m"):
        small.column("acuracy")


def test_a_missing_architecture_is_named(small):
    with pytest.raises(UserError, match=r"no architecture '.*avg_pool_3x3~0.*small\.csv, of 3"):
        small.row(ABSENT)
    for index in (0, "a", None):
        with pytest.raises(UserError, match=f"no index {index!r} in .*3 to 7"):
            small.row_at(index)
    with pytest.raises(UserError, match="unknown operation 'nor_conv_9x9'"):
        small.row(CONV.replace("3x3", "9x9"))


def test_without_an_index_rows_are_counted():
    table = Table(frame().drop(columns="index"), SPACE)
    assert [table.index_of(arch) for arch in (SKIP, CONV, SKIP_TOO)] == [0, 1, 2]


def test_parquet_is_read_by_its_suffix(tmp_path):
    pytest.importorskip("pyarrow")
    frame().to_parquet(tmp_path / "small.parquet")
    assert Table.load(tmp_path / "small.parquet", SPACE).row(SKIP)["accuracy"] == 50.0
    (tmp_path / "broken.parquet").write_text("arch,accuracy\n")
    with pytest.raises(UserError, match="cannot read '.*broken"):
        Table.load(tmp_path / "broken.parquet", SPACE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no table at '.*bad.csv'"),
        (b"", "cannot read '.*bad.csv' as a table: No columns"),
        (b"\x89PNG\r\n\x1a\n\x00\xff\xfe", "cannot read|no column 'arch'"),
        (b'a,b\n"1,2\n3', "cannot read '.*bad.csv' as a table"),
        (b"architecture,accuracy\nx,1\n", "no column 'arch' .is it 'architecture'.*accuracy"),
        (f"arch,text\n{SKIP},x\n".encode(), "no numeric column; it has .*text"),
        (f"arch,accuracy\n{SKIP},1\nx,2\n".encode(), "bad.csv, row 1: architecture 'x'"),
        (b"arch,accuracy\n,2\n", "bad.csv, row 0: architecture nan"),
    ],
)
def test_a_file_that_is_no_table(tmp_path, content, message):
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        Table.load(path, SPACE)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(UserError, match="no table at"):
        Table.load(tmp_path, SPACE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arch": [SKIP, CONV, SKIP]}, "architecture '.*' in rows 0 and 2"),
        ({"index": [1, 2, 2]}, "index 2 in rows 1 and 2"),
        ({"index": [1.5, 2, 3]}, "'index' must hold whole numbers, has float64"),
    ],
)
def test_doubled_keys_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        Table(frame(**changes), SPACE)


def test_the_published_table(accuracy_table):
    table = Table.load(accuracy_table, SPACE)
    assert len(table) == 15_625 == len({SPACE.index(SPACE.parse(arch)) for arch in table.archs})
    columns = ("cifar10_test", "cifar100_test", "imagenet16_120_test")
    assert [round(table.best(column)[1], 3) for column in columns] == [94.373, 73.513, 47.311]
    assert {*columns, "params_m", "flops_m"} <= set(table.columns)
    assert not {"arch", "index", "cifar10_test_per_seed"} & set(table.columns)
    # The benchmark's order is not ours.
    arch = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|" + (
        "skip_connect~2|"
    )
    assert table.index_of(arch) == 0 != SPACE.index(SPACE.parse(arch))
    assert table.row_at(0) == table.row(arch)
    assert table.row(arch)["cifar100_test"] == 52.9133
    assert arch in table.equivalents(arch)
    assert np.isnan(table.column("params_m")).sum() == 11


def test_the_best_of_a_blank_column_is_none():
    table = Table(frame(params_m=[np.nan] * 3), SPACE)
    with pytest.raises(UserError, match="column 'params_m' is blank"):
        table.best("params_m")


def test_data_sets_are_read_off_the_columns():
    names = ["a_test", "b_16_test", "a_val", "a_val_12ep", "c_val_12ep", "params_m", "test"]
    table = Table(frame(**dict.fromkeys(names, 1.0)), SPACE)
    assert table.datasets == ("a", "b_16", "c")


def test_another_column_of_architectures(tmp_path):
    path = tmp_path / "other.csv"
    frame().rename(columns={"arch": "net_str"}).assign(arch="x").to_csv(path, index=False)
    table = Table.load(path, SPACE, arch_column="net_str")
    assert table.archs == (SKIP, CONV, SKIP_TOO) and "net_str" not in table.columns
    with pytest.raises(UserError, match="no column 'net' .is it 'net_str'"):
        Table.load(path, SPACE, arch_column="net")


def test_one_look_up_of_files_and_directories(tmp_path):
    path = tmp_path / "small.csv"
    frame().to_csv(path, index=False)
    assert load(path, SPACE).archs == (SKIP, CONV, SKIP_TOO)
    with pytest.raises(UserError, match="no topology directory of NATS-Bench: it has no meta"):
        load(tmp_path, SPACE)
    with pytest.raises(UserError, match="no table at"):
        load(tmp_path / "none", SPACE)
