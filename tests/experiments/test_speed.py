"""`speed` as a user runs it. What it measures is never judged."""

import json

from PIL import Image

from experiments.measure.rows import FIELDS


def test_table_json_and_picture(python, tmp_path):
    """A row measured in a process of its own; the kernel's, which compiles long, by tests/speed."""
    output = tmp_path / "new" / "folder" / "speed.json"
    flags = [f"--output={output}", "--only=linear_regions", "--repeats=1", "--side=8"]
    done = python("-m", "experiments.speed", *flags)
    assert done.returncode == 0, done.stderr
    written = json.loads(output.read_text())
    assert set(written) == {"environment", "rows"}
    assert written["environment"]["device_kind"] == "cpu"
    [row] = written["rows"]
    assert tuple(row) == FIELDS
    assert (row["name"], row["engine"], row["n"]) == ("linear_regions", None, 3000)
    assert (row["space"], row["k"], row["device"]) == ("nas_bench_201", 1, "cpu")
    for field in ("seconds_median", "compile_seconds", "peak_mib"):
        assert isinstance(row[field], float) and row[field] > 0
    assert row["seconds_min"] == row["seconds_median"] == row["seconds_max"]
    lines = done.stdout.splitlines()
    assert len(lines) == 2 + 1
    assert lines[0].split() == list(FIELDS)
    with Image.open(output.with_suffix(".png")) as image:
        assert image.size == (1600, 900)
    assert {p.name for p in output.parent.iterdir()} == {"speed.json", "speed.png"}


def test_mistakes_are_found_before_anything_is_measured(python, tmp_path):
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
    done = python("-c", program, *mistakes)
    lines = done.stdout.splitlines()
    assert len(lines) == len(mistakes), done.stderr
    for line, message in zip(lines, mistakes.values(), strict=True):
        assert message in line


def test_the_parent_starts_no_backend(python, tmp_path):
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
    done = python("-c", program, JAX_PLATFORMS="nonexistent")
    assert done.returncode == 0, done.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"speed.json", "speed.png"}
    assert len(json.loads((tmp_path / "speed.json").read_text())["rows"]) > 10  # of every case
