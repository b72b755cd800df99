"""Workdirs of every kind, written by hand and small, and a browser to look at their page."""

import csv
import importlib.util
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.runs.layout import FORMAT

from .growth_files import growth

ARCH = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
OTHER = "|none~0|+|none~0|none~1|+|none~0|none~1|avg_pool_3x3~2|"
START = {
    "started": "2026-01-02T03:04:05+00:00", "device_kind": "abacus", "device_count": 2,
    "jax": "9.8", "python": "3.99", "git_commit": "0123456789abcdef", "git_changed": True,
}  # fmt: skip
SEARCH = {
    "space": "nas_bench_201", "strategy": "pruning", "strategy_options": {"per_round": None},
    "preset": "reference", "seed": 3, "data": "photos", "split": "train", "repeats": 2,
    "benchmark_table": None,
}  # fmt: skip
TRAIN = {
    "space": "nas_bench_201", "arch": ARCH, "epochs": 2, "seed": 5, "data": "photos",
    "network": {"channels": 8}, "learning_rate": 0.25,
}  # fmt: skip
STUDY = {
    "space": "nas_bench_201", "preset": "reference", "data": "cifar10", "batch_size": 16,
    "repeats": 2, "seed": 0,
}  # fmt: skip


def write(folder: Path, config: dict, result: dict | None, records=(), rounds=(), **files) -> Path:
    """A workdir."""
    folder.mkdir(parents=True)
    environment = {"format": FORMAT, "starts": [START]}
    named = {"config": config, "environment": environment, "result": result, **files}
    for name, value in named.items():
        if value is not None:
            (folder / f"{name}.json").write_text(json.dumps(value))
    for name, lines in (("records", records), ("rounds", rounds)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def score(mask, round_: int, kappa, regions) -> dict:
    """A record of a search: κ may be None, a bad kernel."""
    scores = {
        "condition_number": {"values": [kappa], "flags": ["singular" if kappa is None else "ok"]},
        "linear_regions": {"values": [regions], "flags": ["ok"]},
    }
    where = {"round": round_, "arch": "", "encoding": mask.tolist(), "draw": round_, "key": ""}
    return {**where, "scores": scores, "seconds": 0.5}


def write_search(folder: Path, done: bool = True, **changes) -> Path:
    """A pruning of NAS-Bench-201 down to `ARCH`, in which every round scores two networks."""
    space = spaces.get("nas_bench_201")
    mask, final = space.supernet(), space.to_mask(space.parse(ARCH))
    mask |= final
    history, records, number = [], [], 0
    while True:
        removals = [
            [0, e, int(np.flatnonzero(mask[0, e] > final[0, e])[0])]
            for e in range(6)
            if (mask[0, e] > final[0, e]).any()
        ]
        kappa, regions = (300.0, 40.5) if not number else (200.0 / number, 40.0 + number)
        values = {"condition_number": kappa, "linear_regions": regions}
        history.append({"round": number, "mask": mask.tolist(), **values, "pruned": removals})
        records.append(score(mask, number, kappa, regions))
        if not removals:
            break
        less = mask.copy()
        less[tuple(removals[0])] = 0
        records.append(score(less, number, None, 12.0))
        for removal in removals:
            mask[tuple(removal)] = 0
        number += 1
    result = {
        "arch": ARCH, "preset": "reference", "engine": "jacobian", "condition_number": 50.0,
        "linear_regions": 44.0, "architectures_scored": len(records), "scoring_seconds": 125.0,
        "compile_seconds": 3.0, "run_seconds": 1.0, "bad_kernels": number,
        "published": {"cifar10_test": 93.25, "cifar100_test": None}, **changes,
    }  # fmt: skip
    if not done:
        history, records = history[:2], records[:3]
    return write(folder, SEARCH, result if done else None, records, history, checkpoint={})


def study_row(name: str, column: str, tau: float | None, n: int) -> dict:
    """A row of a rank study with numbers that differ by its score and column."""
    row = dict.fromkeys(
        ("rho", "rho_low", "rho_high", "r_ranks", "r_ranks_low", "r_ranks_high", "tau_top",
         "precision_10", "precision_100", "best_rank_10", "best_rank_100", "rank_in_10_draws",
         "rank_in_100_draws", "partial", "partial_low", "partial_high", "seconds", "note")
    )  # fmt: skip
    ends = (None, None) if tau is None else (tau - 0.05, tau + 0.05)
    own = {"score": name, "accuracy": column, "n": n, "bad": 1, "tau": tau}
    return {**row, **own, "tau_low": ends[0], "tau_high": ends[1], "best_rank_10": 7.0}


def write_correlate(folder: Path, done: bool = True, count: int = 12, **changes) -> Path:
    """A rank study of `count` architectures with two columns of accuracies."""
    space, rng = spaces.get("nas_bench_201"), np.random.default_rng(0)
    archs = [space.to_string(space.from_index(i)) for i in space.sample_numbers(rng, count)]
    config = {**STUDY, **{name: value for name, value in changes.items() if name in STUDY}}
    mask = space.supernet()
    records = [{**score(mask, 0, 1.0, 2.0), "arch": arch, "seconds": 0.25} for arch in archs]
    columns, scores = ("cifar10_test", "cifar100_test"), ("condition_number", "rank_sum")
    taus = dict(
        zip([(s, c) for c in columns for s in scores], (0.4, 0.6123, None, 0.5), strict=True)
    )
    rows = [study_row(s, c, taus[s, c], count) for c in columns for s in scores]
    rows += [study_row("parameters", c, 0.7, count) for c in columns]
    rows[0] |= {"seconds": config["batch_size"] / 100, "note": "a remark"}
    by_repeats = [
        {"score": s, "accuracy": c, "repeats": r, "tau": 0.1 * r, "tau_low": 0.0, "tau_high": 0.4}
        for c in columns for s in scores for r in range(1, config["repeats"] + 1)
    ]  # fmt: skip
    result = {
        "command": "correlate", **config, "engine": "jacobian", "archs": count,
        "columns": list(columns), "lower_is_better": ["condition_number"], "rows": rows,
        "by_repeats": by_repeats, "seconds": {"condition_number": config["batch_size"] / 100},
        **changes,
    }  # fmt: skip
    spectrum = {"arch": ARCH, "accuracy": 90.0, "eigenvalues": [4.0, 1.0, 0.5], "flag": "ok"}
    spectra = [{**spectrum, "group": group} for group in ("best", "worst")]
    files = {"spectra": {"column": "cifar10_test", "batch_size": 3, "spectra": spectra}}
    write(folder, config, result if done else None, records, **(files if done else {}))
    if done:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["arch", "condition_number", "linear_regions", "parameters", *columns])
        for i, arch in enumerate(archs):
            kappa = "" if i == 0 else 10.5 + i
            writer.writerow([arch, kappa, 100 + i, 1000 * i, 90 + i / count, 60 + i / count])
        (folder / "scores.csv").write_text(text.getvalue())
    return folder


def write_repeat(folder: Path, done: bool = True, **changes) -> Path:
    """Two seeds of two searches."""

    def seed(number: int, arch: str, accuracy: float) -> dict:
        steps = [[10, accuracy - 1], [25, accuracy]]
        return {"seed": number, "arch": arch, "accuracies": {"cifar10_test": accuracy},
                "scored": 25, "seconds": 40.0, "anytime": {"cifar10_test": steps}}  # fmt: skip

    summary = {"column": "cifar10_test", "n": 2, "scored": 25.0, "seconds": 40.0, "low": None,
               "high": None, "deviation": 0.5, "lead_low": None, "lead_high": None}  # fmt: skip
    result = {
        "command": "repeat", "space": "nas_bench_201", "preset": "reference", "data": "photos",
        "columns": ["cifar10_test"],
        "searches": {"pruning": [seed(0, ARCH, 93.0), seed(1, ARCH, 94.0)],
                     "random": [seed(0, OTHER, 90.0), seed(1, ARCH, 92.0)]},
        "oracle": {"cifar10_test": 94.37},
        "average": {"cifar10_test": {"mean": 87.06, "deviation": 6.1, "n": 15625}},
        "summary": [
            {**summary, "search": "pruning", "mean": 93.5, "relative_improvement": 0.074,
             "lead": 2.5, "low": 91.25, "high": 95.75},
            {**summary, "search": "random", "mean": 91.0, "relative_improvement": 0.045,
             "lead": None},
        ],
        **changes,
    }  # fmt: skip
    return write(folder, {"command": "repeat", **SEARCH}, result if done else None)


def epoch(number: int, top1: float | None) -> dict:
    fields = {"train_loss": 1.5 / number, "train_top1": 0.5, "test_loss": 1.25, "test_top1": top1}
    return {"epoch": number, **fields, "test_top5": top1, "learning_rate": 0.25, "seconds": 2.0}


def write_train(folder: Path, done: bool = True, **changes) -> Path:
    """A training of two epochs, of which the first was not evaluated."""
    result = {
        "space": "nas_bench_201", "arch": ARCH, "network": {}, "top1": 0.75, "top5": 0.875,
        "test_loss": 1.25, "parameters": 12345, "multiply_adds": 678, "epochs": 2, "steps": 20,
        "seconds": 4.0, "compile_seconds": 1.0, "device": "abacus", "devices": 1,
        "label_names": ["cat", "dog", "emu"],
        "confusion": [[3, 1, 0], [2, 5, 0], [0, 0, 4]], **changes,
    }  # fmt: skip
    records = [epoch(1, None), epoch(2, 0.75)]
    return write(folder, TRAIN, result if done else None, records if done else records[:1])


def write_compare(folder: Path, done: bool = True, **changes) -> Path:
    """What was found beside one random architecture."""
    result = {
        "archs": {"found": ARCH, "random-0": OTHER},
        "parameters": {"found": 2000, "random-0": 1990},
        "top1": {"found": 0.75, "random-0": 0.7}, "random_mean": 0.7, "random_deviation": None,
        "lead": 0.05, **changes,
    }  # fmt: skip
    write(folder, {"command": "compare", **TRAIN}, result if done else None)
    for name in ("random-0", "found"):
        write(folder / name, TRAIN, None, [epoch(1, 0.5), epoch(2, 0.75)])
    return folder


def write_grow(folder: Path, done: bool = True, **changes) -> Path:
    """A growth of two steps by κ and length distortion."""
    config, result, records, rounds = growth(done, changes)
    return write(folder, config, result, records, rounds, checkpoint={})


MAKERS = {
    "grow": write_grow,
    "search": write_search,
    "correlate": write_correlate,
    "repeat": write_repeat,
    "train": write_train,
    "compare": write_compare,
}


@pytest.fixture(scope="session")
def makers() -> dict:
    """kind -> what writes a workdir of it: (folder, done=True, **fields of its result)."""
    return MAKERS


@pytest.fixture(scope="module")
def driver():
    """A browser, one a file of tests, that keeps what it is asked to fetch and complains of.

    It draws by its processor. Where there is none the tests are skipped, unless TENAS_JAX_BROWSER
    is `required`.
    """
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    missing += ["selenium"] * (importlib.util.find_spec("selenium") is None)
    if missing:
        if os.environ.get("TENAS_JAX_BROWSER") == "required":
            pytest.fail(f"missing: {', '.join(missing)}")
        pytest.skip(f"missing: {', '.join(missing)}")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--enable-unsafe-swiftshader")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    yield started
    started.quit()
