"""`speed` as a user runs it. What it measures is never judged."""

import json
import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

from tenas_jax.speed import FIELDS

ROOT = Path(__file__).parents[2]


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": "",  # one device, as a user has
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",
        **variables,
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400,
    )  # fmt: skip


def test_table_json_and_picture(tmp_path):
    output = tmp_path / "new" / "folder" / "speed.json"
    done = run(
        "-m",
        "experiments.speed",
        f"--output={output}",
        "--only=linear_regions,condition_number",
        "--sizes=4",
        "--repeats=1",
        "--side=8",
    )
    assert done.returncode == 0, done.stderr
    written = json.loads(output.read_text())
    assert set(written) == {"environment", "rows"}
    assert written["environment"]["device_kind"] == "cpu"
    found = [(row["name"], row["engine"], row["n"]) for row in written["rows"]]
    assert found == [
        ("linear_regions", None, 3000),
        ("condition_number", "jacobian", 4),
        ("condition_number", "neural_tangents", 4),
    ]
    for row in written["rows"]:
        assert tuple(row) == FIELDS
        assert (row["space"], row["k"], row["device"]) == ("nas_bench_201", 1, "cpu")
        for field in ("seconds_median", "compile_seconds", "peak_mib"):
            assert isinstance(row[field], float) and row[field] > 0
        assert row["seconds_min"] == row["seconds_median"] == row["seconds_max"]
    lines = done.stdout.splitlines()
    assert len(lines) == 2 + len(found)
    assert lines[0].split() == list(FIELDS)
    with Image.open(output.with_suffix(".png")) as image:
        assert image.size == (1600, 900)
    assert {p.name for p in output.parent.iterdir()} == {"speed.json", "speed.png"}


def test_mistakes_are_found_before_anything_is_measured(tmp_path):
    (tmp_path / "folder.json").mkdir()
    mistakes = {
        "--only=linear_region": "unknown case 'linear_region' (did you mean 'linear_regions'?)",
        "--sizes=16,many": "--sizes must be whole numbers, not '16,many'",
        "--sizes=1": "sizes must be at least 2, not 1",
        "--side=30": "the side must be a multiple of 4, not 30",
        f"--output={tmp_path}/folder.json": "Is a directory",
    }
    program = """
import sys
from experiments import speed
speed.measure_all = lambda *_: print("measured")
for flag in sys.argv[1:]:
    speed.FLAGS.unparse_flags()
    for name in ("output", "only", "sizes", "side"):
        speed.FLAGS[name].unparse()
    speed.FLAGS(["speed", "--output=speed.json", flag])
    try:
        speed.main([])
    except speed.UserError as error:
        print(error)
"""
    done = run("-c", program, *mistakes)
    lines = done.stdout.splitlines()
    assert len(lines) == len(mistakes), done.stderr
    for line, message in zip(lines, mistakes.values(), strict=True):
        assert message in line


def test_a_mistake_is_one_line_and_status_2():
    done = run("-m", "experiments.speed", "--only=linear_regions")
    assert done.returncode == 2
    assert done.stderr == "error: --output is missing: name the file for the rows, FILE.json\n"


def test_the_parent_starts_no_backend(tmp_path):
    """An accelerator may belong to one process alone: here any start of a backend fails."""
    values = ("search", "any", None, 16, 58, 2.0, 1.0, 3.0, 4.0, None, "abacus")
    row = dict(zip(FIELDS, values, strict=True))
    found = {"row": row, "environment": {"device_kind": "abacus", "jax": "1.0"}}
    program = f"""
import sys
from experiments import speed
speed.measure_apart = lambda *_: {found!r}
speed.FLAGS(["speed", "--output={tmp_path}/speed.json"])
sys.exit(speed.main([]))
"""
    done = run("-c", program, JAX_PLATFORMS="nonexistent")
    assert done.returncode == 0, done.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"speed.json", "speed.png"}
