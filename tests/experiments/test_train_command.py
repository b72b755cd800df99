"""Training as a user runs it: killed and resumed, finished, mistaken; prediction; comparison."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ARCH = "|skip_connect~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
OTHER = "|skip_connect~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
STEPS = 12  # of an epoch: 24 images, two at a time


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a tiny data set, in which classes differ in colour, and a finished search."""
    folder = tmp_path_factory.mktemp("train")
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 24), ("test", 9)):
        labels = np.arange(count) % 3
        images = rng.integers(0, 100, (count, 8, 8, 3), dtype=np.uint8)
        images[np.arange(count), :, :, labels] += 100
        arrays |= {f"{split}_images": images, f"{split}_labels": labels}
    np.savez(folder / "colours.npz", label_names=["red", "green", "blue"], **arrays)
    (folder / "search").mkdir()
    for name, value in {
        "config": {"strategy": "pruning", "space": "nas_bench_201"},
        "result": {"arch": ARCH},
    }.items():
        (folder / "search" / f"{name}.json").write_text(json.dumps(value))
    return folder


@pytest.fixture(scope="module")
def flags(place):
    """`(workdir, *more) -> flags` of a training of two epochs of twelve steps."""

    def flags(workdir, *more):
        return (
            "--config=configs/train_photos.py",
            f"--workdir={place / workdir}",
            f"--config.data={place / 'colours.npz'}",
            "--config.network.channels=4",
            "--config.epochs=2",
            "--config.batch_size=2",
            "--config.pad=1",
            "--config.cutout=2",
            "--config.cpu_devices=1",
            *more,
        )

    return flags


@pytest.fixture(scope="module")
def whole(commands, place, flags) -> Path:
    """The workdir of an uninterrupted training of what the search found."""
    more = f"--from_search={place / 'search'}", "--config.tensorboard"
    done = commands.run("train", *flags("whole", *more))
    assert done.returncode == 0, done.stderr
    assert "epoch 1 of 2: training loss" in done.stderr
    (place / "whole.out").write_text(done.stdout)
    return place / "whole"


def checkpoints(workdir: Path) -> list[int]:
    folder = workdir / "checkpoints"
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    return sorted(int(name) for name in names if name.isdigit())


def weights(workdir: Path) -> dict:
    """Checksums of all numbers of the last checkpoint, as recorded beside them."""
    about = workdir / "checkpoints" / str(2 * STEPS) / "about" / "metadata"
    return json.loads(about.read_text())["checksums"]


def records(workdir: Path) -> list[dict]:
    lines = map(json.loads, (workdir / "records.jsonl").read_text().splitlines())
    return [{k: v for k, v in r.items() if "second" not in k} for r in lines]


def test_a_training_ends_with_result_and_picture(place, whole):
    result = json.loads((whole / "result.json").read_text())
    printed = (place / "whole.out").read_text()
    assert result["arch"] == ARCH and ARCH in printed
    assert f"{100 * result['top1']:.2f} % of 9 images" in printed
    assert result["steps"] == 2 * STEPS and result["label_names"] == ["red", "green", "blue"]
    assert (whole / "train.png").read_bytes().startswith(b"\x89PNG")
    assert len(records(whole)) == 2 and checkpoints(whole) == [STEPS, 2 * STEPS]
    assert list((whole / "tensorboard").iterdir())
    assert json.loads((whole / "config.json").read_text())["arch"] == ARCH


def test_killed_in_mid_epoch_and_started_again_it_ends_the_same(commands, place, flags, whole):
    workdir = place / "killed"
    arguments = flags("killed", f"--config.arch={ARCH}", "--config.checkpoint_every=1")
    process = commands.start("train", *arguments)
    deadline = time.monotonic() + 300
    while max(checkpoints(workdir), default=0) < STEPS + 2:
        assert time.monotonic() < deadline, process.err.read_text()
        time.sleep(0.001)
    os.kill(process.pid, 9)
    assert process.finish().returncode == -9
    reached = max(checkpoints(workdir))
    assert STEPS < reached < 2 * STEPS, "it was to be killed within the second epoch"
    assert not (workdir / "result.json").exists()
    again = commands.run("train", *arguments)
    assert again.returncode == 0, again.stderr
    assert weights(workdir) == weights(whole)
    assert records(workdir) == records(whole)
    results = [json.loads((w / "result.json").read_text()) for w in (workdir, whole)]
    for name in ("top1", "test_loss", "confusion", "arch"):
        assert results[0][name] == results[1][name]


def test_a_finished_training_says_so_and_computes_nothing(commands, place, flags, whole):
    before = (whole / "records.jsonl").read_bytes()
    again = commands.run("train", *flags("whole", f"--config.arch={ARCH}"))
    assert again.returncode == 0, again.stderr
    assert f"{whole} is finished; its result:" in again.stderr
    assert again.stdout == (place / "whole.out").read_text()
    assert (whole / "records.jsonl").read_bytes() == before


def test_a_workdir_of_another_training_is_refused(commands, flags, whole):
    other = commands.run("train", *flags("whole", f"--config.arch={OTHER}", "--config.seed=1"))
    assert "another config" in other.mistake
    assert "arch" in other.mistake and "seed" in other.mistake


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([], ["--config.arch=ARCH or --from_search=DIR"]),
        (["--config.arch=|nor_conv_9x9~0|"], ["nor_conv_9x9"]),
        (["--from_search=configs"], ["configs", "holds no run"]),
        ([f"--config.arch={ARCH}", "--config.optimizer=sdg"], ["did you mean 'sgd'"]),
        ([f"--config.arch={ARCH}", "--config.epoch=3"], ["unknown config field 'epoch'"]),
        ([f"--config.arch={ARCH}", "--config.batch_size=25"], ["24 images", "25"]),
        ([f"--config.arch={ARCH}", "--config.size=10"], ["10 x 10", "multiples of 4"]),
        (
            [f"--config.arch={ARCH}", "--config.coarse=((2, 1),)"],
            ["coarse is ((2, 1),)", "no vision transformer"],
        ),
    ],
)
def test_a_mistake_is_one_line(commands, place, flags, changes, words):
    mistake = commands.run("train", *flags("mistakes", *changes)).mistake
    for word in words:
        assert word in mistake
    assert not (place / "mistakes").exists(), "a mended command would be refused there"


def picture(place: Path, channel: int) -> Path:
    pixels = np.full((40, 30, 3), 50, np.uint8)
    pixels[:, :, channel] += 100
    path = place / f"{channel}.png"
    Image.fromarray(pixels).save(path)
    return path


def test_an_image_is_classified(commands, place, whole):
    shares = []
    for channel in range(2):
        done = commands.run("predict", f"--workdir={whole}", f"--image={picture(place, channel)}")
        assert done.returncode == 0, done.stderr
        header, _, *rows = [line.split() for line in done.stdout.splitlines()]
        assert header == ["class", "probability"]
        found = {name: float(share) for name, share, _ in rows}
        assert sorted(found) == ["blue", "green", "red"]
        assert sum(found.values()) == pytest.approx(100, abs=0.03)
        assert list(found.values()) == sorted(found.values(), reverse=True)
        shares.append(found)
    assert shares[0]["red"] > shares[1]["red"] and shares[1]["green"] > shares[0]["green"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--workdir=none"], "holds no run"),
        (["--workdir={search}"], "holds no training"),
        (["--workdir={whole}", "--top=0"], "top"),
        (["--workdir={whole}"], "cannot read the image no.png"),
    ],
)
def test_a_mistaken_prediction_is_one_line(commands, place, whole, arguments, word):
    filled = [a.format(search=place / "search", whole=whole) for a in arguments]
    assert word in commands.run("predict", "--image=no.png", *filled).mistake


def test_a_comparison_with_random_ones_of_its_size(commands, place, flags, whole):
    arguments = flags("compare", f"--from_search={place / 'search'}", "--config.epochs=1")
    done = commands.run("compare", *arguments, "--random=1")
    assert done.returncode == 0, done.stderr
    result = json.loads((place / "compare" / "result.json").read_text())
    single = {
        name: json.loads((place / "compare" / name / "result.json").read_text())
        for name in ("found", "random-0")
    }
    assert result["archs"] == {name: r["arch"] for name, r in single.items()}
    assert result["archs"]["found"] == ARCH != result["archs"]["random-0"]
    assert result["top1"] == {name: r["top1"] for name, r in single.items()}
    assert result["lead"] == pytest.approx(single["found"]["top1"] - single["random-0"]["top1"])
    sizes = [r["parameters"] for r in single.values()]
    assert abs(sizes[1] - sizes[0]) <= 0.05 * sizes[0]
    assert "better than" in done.stdout
    again = commands.run("compare", *arguments, "--random=1")
    assert again.returncode == 0 and again.stderr.count("is finished; its result:") == 2
    assert json.loads((place / "compare" / "result.json").read_text()) == result
    # A training there would take that result for its own, and a comparison overwrite a training's.
    training = flags("compare", f"--config.arch={ARCH}", "--config.epochs=1")
    refused = commands.run("train", *training).mistake
    assert "another config" in refused and "command" in refused
    before = (place / "whole" / "result.json").read_text()
    arguments = flags("whole", f"--from_search={place / 'search'}")
    refused = commands.run("compare", *arguments, "--random=1")
    assert refused.returncode == 2 and "another config: command: absent there" in refused.stderr
    assert (place / "whole" / "result.json").read_text() == before
