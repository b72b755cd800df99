"""Vision transformers by the commands: a seed search and its growth, killed and resumed, shown."""

import json
import signal

import pandas as pd
import pytest

from tenas_jax import spaces
from tenas_jax.spaces.as_vit.sizes import split

SPACE = spaces.get("as_vit")
TINY = (
    "--config.size=32",
    "--config.batch_size=2",
    "--config.repeats=1",
    "--config.options.length_distortion.curve_points=3",
)
METRICS = ("condition_number", "length_distortion")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("as_vit")


@pytest.fixture(scope="module")
def search(commands, tiny, place):
    """Runs a seed search of six steps: `search(workdir, *more)`."""

    def search(workdir, *more, **options):
        given = ["--config=configs/asvit_photos.py", f"--workdir={place / workdir}"]
        given += [f"--config.data={tiny}", "--config.strategy_options.steps=6", *TINY]
        return commands.run("search", *given, *more, **options)

    return search


@pytest.fixture(scope="module")
def grow(commands, tiny, place):
    """Runs a growth of a few steps: `grow(workdir, *more)`."""

    def grow(workdir, *more, **options):
        given = ["--config=configs/grow_asvit_cifar10.py", f"--workdir={place / workdir}"]
        given += [f"--config.data={tiny}", "--config.most=320000", "--config.hidden=4", *TINY]
        return commands.run("grow", *given, *more, **options)

    return grow


def outcome(folder):
    """The checkpoint, the records of a run without its times, and the rounds to the byte."""
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    for record in records:
        record.pop("seconds")
    checkpoint = json.loads((folder / "checkpoint.json").read_text())
    return checkpoint, records, (folder / "rounds.jsonl").read_bytes()


def resumes(run, whole, killed, dies_after):
    """A run to its end, and one that is killed and goes on: the same to the bit."""
    done = run(whole.name)
    assert done.returncode == 0, done.stderr
    assert run(killed.name, dies_after=dies_after).returncode == -signal.SIGKILL
    assert not (killed / "result.json").exists()
    again = run(killed.name)
    assert again.returncode == 0, again.stderr
    assert outcome(killed) == outcome(whole)
    return done


def test_a_seed_search(search, place):
    shown = resumes(search, place / "seed", place / "seed_killed", dies_after=3)
    found = json.loads((place / "seed" / "result.json").read_text())
    assert found["arch"] == SPACE.to_string(SPACE.parse(found["arch"]))
    assert found["preset"] == "as_vit"
    assert found["arch"] in shown.stdout and found["condition_number"] > 1
    assert found["length_distortion"] > 0 and (place / "seed" / "search.png").exists()


def test_a_growth_of_what_was_found(search, grow, place):
    if not (place / "seed" / "result.json").exists():
        assert search("seed").returncode == 0
    topology = json.loads((place / "seed" / "result.json").read_text())["arch"]
    own = ("--config.topology=", f"--from_search={place / 'seed'}", "--config.hidden=8")

    def run(name, **options):
        return grow(name, *own, **options)

    shown = resumes(run, place / "grown", place / "grown_killed", dies_after=14)
    found = json.loads((place / "grown" / "result.json").read_text())
    table = pd.read_csv(place / "grown" / "growth.csv")
    assert split(found["arch"])[0] == topology
    assert table["string"].iloc[-1] == found["arch"] and found["arch"] in shown.stdout
    assert (table["parameters"].diff().dropna() > 0).all() and found["parameters"] <= 320_000
    assert (place / "grown" / "growth.png").exists()
    assert "accuracy" in shown.stdout and "unknown" in shown.stdout
    again = run("grown")
    assert "is finished; its result:" in again.stderr
    assert json.loads((place / "grown" / "result.json").read_text()) == found


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (["--config.topology="], "what is grown is not said: give --config.topology"),
        (["--config.topology=3,2,3|4,1,2|4,1,4|4,1,6|32"], "K1 is '3', below its stride of 4"),
        (["--config.hidden=3"], "fewer than its 4 heads"),
        (["--config.most=1000"], "most is 1000, but the smallest larger network has"),
        (["--config.size=48"], "S2 is 4"),
        (["--config.size=16"], "stage 4 has no token"),
        (["--config.strategy=pruning"], "strategy is 'pruning'; a growth has 'growth'"),
        (["--config.space=darts"], "space is 'darts'; a growth has 'as_vit'"),
        (["--config.metrics=linear_regions"], "as_vit_sizes has no network 'patch'"),
        (["--from_search=nowhere"], "nowhere holds no run"),
    ],
)
def test_growth_mistakes(commands, tiny, tmp_path, own, words):
    given = ["--config=configs/grow_asvit_cifar10.py", f"--workdir={tmp_path / 'run'}"]
    given += [f"--config.data={tiny}", *TINY]
    if "size=48" in own[0]:
        given.append("--config.topology=8,2,3|4,4,2|4,1,4|4,1,6|32")
    assert words in commands.run("grow", *given, *own).mistake
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (["--config.strategy=pruning"], "as_vit has no supernet to prune"),
        (["--config.strategy=gradient_pruning"], "as_vit has no supernet to prune"),
        (["--config.metrics=linear_regions"], "as_vit has no network 'patch'"),
        (["--config.size=48"], "sides that are multiples of 32"),
        (["--config.strategy_options.window=1"], "window is 1; valid: whole numbers from 2"),
        (["--config.options.length_distortion.curve_points=1"], "curve_points must be at least 2"),
    ],
)
def test_search_mistakes(commands, tiny, tmp_path, own, words):
    given = ["--config=configs/asvit_photos.py", f"--workdir={tmp_path / 'run'}"]
    given += [f"--config.data={tiny}", *TINY]
    if "pruning" in own[0]:
        own = [*own, "--config.strategy_options={}"]
    assert words in commands.run("search", *given, *own).mistake
    assert not (tmp_path / "run").exists()
