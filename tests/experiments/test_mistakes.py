"""What commands refuse: in one line, with status 2, and before anything is written."""

import pytest

ARCH = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--config.space=nas_bench_2001"], ["nas_bench_2001", "did you mean 'nas_bench_201'"]),
        (["--config.strategy=prunning"], ["prunning", "pruning"]),
        (["--config.preset=papers"], ["papers", "'paper'"]),
        (["--config.data=cifar11"], ["cifar11", "cifar10"]),
        (["--config.data=nothing.npz"], ["nothing.npz"]),
        (["--config.engine=jacobain"], ["jacobain", "'jacobian'"]),
        (["--config.batch_size=1"], ["at least 2"]),
        (["--config.batch_size=many"], ["many"]),
        (["--config.batchsize=3"], ["batchsize", "did you mean 'batch_size'"]),
        (["--config.benchmark_table=no.csv"], ["no.csv"]),
        (["--workdir=README.md"], ["README.md"]),
        (["stray"], ["stray"]),
        (["--config.seed=-1"], ["seed", "-1"]),
        (["--config.cpu_devices=0"], ["cpu_devices"]),
        (["--config.metrics=()"], ["at least one metric"]),
        (["--config.metrics=linear_regions,kappa"], ["unknown metric 'kappa'"]),
        (["--config.initialiser=kaiming_normal"], ["'kaiming_normal_fan_in'"]),
        (["--config.batch_size=33"], ["32 examples", "33"]),
    ],
)
def test_of_a_search(commands, tiny, tmp_path, changes, words):
    workdir = tmp_path / "run"
    config = "--config=configs/tenas_nas_bench_201.py"
    flags = [config, f"--workdir={workdir}", f"--config.data={tiny}", "--config.batch_size=4"]
    mistake = commands.run("search", *flags, *changes).mistake
    for word in words:
        assert word in mistake
    assert not workdir.exists(), "a mended command would be refused there"


def test_of_a_config_file(commands, tmp_path):
    broken, lacking = tmp_path / "broken.py", tmp_path / "lacking.py"
    broken.write_text("def get_config(:\n")
    lacking.write_text("import ml_collections\nget_config = ml_collections.ConfigDict\n")
    for arguments, word in (
        (["--workdir=x"], "config"),
        (["--workdir=x", "--config=configs/nothing.py"], "no config file 'configs/nothing.py'"),
        (["--workdir=x", f"--config={broken}"], "SyntaxError"),
        (["--workdir=x", f"--config={lacking}"], "no field 'space'"),
    ):
        assert word in commands.run("search", *arguments).mistake


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--process=1"], "error: --process goes with --distributed\n"),
        (["--coordinator=a:1"], "error: --coordinator goes with --distributed\n"),
        (["--distributed", "--process=1"], "error: --coordinator is missing: give --coordinator"),
        (
            ["--distributed", "--coordinator=a:1", "--processes=2", "--process=2"],
            "error: --process=2 must be below --processes=2\n",
        ),
        (
            ["--distributed", "--coordinator=here", "--processes=2", "--process=0"],
            "error: --coordinator must be HOST:PORT, not 'here'\n",
        ),
        (["--distributed", "--processes=0"], "error: flag --processes=0: 0 is not a positive"),
    ],
)
def test_of_flags_of_processes(commands, tmp_path, arguments, message):
    workdir = tmp_path / "work"
    flags = ["--config=configs/tenas_photos.py", f"--workdir={workdir}"]
    assert commands.run("search", *flags, *arguments).mistake.startswith(message)
    assert not workdir.exists()


@pytest.mark.parametrize(
    ("program", "arguments", "word"),
    [
        ("verify", [], "golden"),
        ("verify", ["--nope"], "nope"),
        ("verify", ["--golden=tests/golden", "--dtype="], "--dtype names nothing"),
        ("score", [f"--arch={ARCH}", "--metrics="], "at least one metric"),
        ("score", ["--arch=|nor_conv_9x9~0|"], "nor_conv_9x9"),
        ("speed", ["--only=linear_regions"], "--output is missing: name the file for the rows"),
    ],
)
def test_of_other_commands(commands, program, arguments, word):
    assert word in commands.run(program, *arguments).mistake


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--output=scores.json"], ["scores.json", ".csv or .parquet"]),
        (["--archs=README.md", "--count=3"], ["not both"]),
        (["--metrics=kappa"], ["unknown metric 'kappa'"]),
        (["--process=0"], ["--processes"]),
        (["--workdir=README.md"], ["README.md"]),
        (["--archs={folder}/wrong.txt"], ["wrong.txt, line 1"]),
    ],
)
def test_of_scoring_a_space(commands, tmp_path, changes, words):
    (tmp_path / "wrong.txt").write_text("|nor_conv_9x9~0|\n")
    flags = [f"--output={tmp_path}/run.csv", f"--workdir={tmp_path}/run", "--data=photos"]
    changes = [change.format(folder=tmp_path) for change in changes]
    mistake = commands.run("score_space", *flags, *changes).mistake
    for word in words:
        assert word in mistake
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.txt"]


def test_the_command_itself_refuses_so(python):
    done = python(
        "-m", "experiments.search", "--config=configs/tenas_photos.py", "--workdir=x", "y"
    )
    assert "unexpected argument 'y'" in done.mistake and done.stdout == ""
