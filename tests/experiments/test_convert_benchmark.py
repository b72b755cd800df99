"""`convert_benchmark` as a user runs it."""

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.benchmarks import Table, load
from tests.benchmarks.nats_directory import write_directory

pytest.importorskip("nats_bench")

SPACE = spaces.get("nas_bench_201")
ARCHS = [SPACE.to_string(SPACE.from_index(i)) for i in (9000, 12)]


def test_a_directory_becomes_a_table(commands, tmp_path):
    folder, output = tmp_path / "NATS", tmp_path / "new" / "table.csv"
    write_directory(folder, ARCHS, {})
    done = commands.run("convert_benchmark", f"--benchmark={folder}", f"--output={output}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == [
        f"2 architectures are in {output}",
        "data sets: cifar10, cifar100, imagenet16_120",
    ]
    table, expected = Table.load(output, SPACE), load(folder, SPACE)
    for name in expected.columns:
        np.testing.assert_array_equal(table.column(name), expected.column(name))


def test_mistakes(commands, tmp_path):
    write_directory(tmp_path / "NATS", ARCHS, {})
    good, output = f"--benchmark={tmp_path / 'NATS'}", tmp_path / "t.csv"
    bad = commands.run("convert_benchmark", good, f"--output={tmp_path / 't.txt'}").mistake
    assert "must end in .csv or .parquet" in bad
    none = f"--benchmark={tmp_path / 'none'}"
    bad = commands.run("convert_benchmark", none, f"--output={output}").mistake
    assert "no topology directory" in bad and not output.exists()
