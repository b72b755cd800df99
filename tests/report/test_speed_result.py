"""Rows that are kept as they come, tasks that are left out, and outputs that cannot be."""

import json

import pytest

from experiments.measure import FIELDS, tasks
from tenas_jax.errors import UserError
from tenas_jax.report.speed_result import check_output, measure_all

VALUES = ("linear_regions", "nas_bench_201", None, 3000, 1, 2.0, 1.0, 3.0, 4.0, None, "abacus")
ROW = dict(zip(FIELDS, VALUES, strict=True))
FOUND = {"row": ROW, "environment": {"device_kind": "abacus", "jax": "1.0"}}


def test_what_fails_is_left_out_and_the_rest_is_kept(tmp_path, capsys):
    answers = iter([UserError("no engine"), FOUND, ChildProcessError("killed"), FOUND])
    output, kept = tmp_path / "speed.json", []

    def measure(_):
        kept.append(len(json.loads(output.read_text())["rows"]) if output.exists() else 0)
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    planned = tasks(["condition_number"], [4, 8], side=8, repeats=1)
    assert measure_all(planned, measure, output) == 1
    assert kept == [0, 0, 1, 1]
    written = json.loads(output.read_text())
    assert written == {"environment": FOUND["environment"], "rows": [ROW, ROW]}
    assert {p.name for p in tmp_path.iterdir()} == {"speed.json", "speed.png"}
    told = capsys.readouterr()
    assert "left out: condition_number, engine jacobian, n = 4: no engine\n" in told.err
    assert "left out: condition_number, engine neural_tangents, n = 4: killed\n" in told.err
    lines = told.out.splitlines()
    assert lines[0].split() == list(FIELDS)
    assert lines[2:] == [lines[2]] * 2
    assert "–" in lines[2]  # a peak that the device does not tell


def test_nothing_measured_is_a_mistake(tmp_path):
    def refuse(_):
        raise UserError("no")

    planned = tasks(["linear_regions"], [4], side=8, repeats=1)
    with pytest.raises(UserError, match="nothing could be measured"):
        measure_all(planned, refuse, tmp_path / "speed.json")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_made_and_nothing_is_written_yet(tmp_path):
    check_output(tmp_path / "new" / "folder" / "speed.json")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("speed.txt", "must end in .json"),
        ("folder.json", "folder.json: Is a directory"),
        ("file/speed.json", "cannot write"),
        ("picture.json", "picture.png: Is a directory"),
    ],
)
def test_outputs_that_cannot_be_written(tmp_path, name, message):
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "picture.png").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=message):
        check_output(tmp_path / name)
