"""Writes small directories in the layout of NATS-Bench's topology benchmark.

Every number follows from where it stands, so that tests can say what they expect: after E epochs,
an architecture `a`'s trial of seed `s` has the accuracy `accuracy(a, part, s, E)`.
"""

import bz2
import pickle
from pathlib import Path

PARTS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("x-valid", "x-test", "ori-test"),
    "ImageNet16-120": ("x-valid", "x-test", "ori-test"),
}
SEEDS = (777, 888, 999)
EPOCHS = {"12": 12, "200": 200}


def accuracy(index: int, dataset: str, part: str, seed: int, epochs: int) -> float:
    """The accuracy after the last epoch; all are different."""
    number = 10 * list(PARTS).index(dataset) + PARTS[dataset].index(part)
    return index + number / 100 + (seed % 10) / 1000 + epochs / 10


def trial(index: int, arch: str, dataset: str, seed: int, epochs: int) -> dict:
    """The state of one training, as the package saves it; only the last epoch is filled."""
    last = epochs - 1
    keys = {part: f"{part}@{last}" for part in PARTS[dataset]}
    return {
        "name": "infer.tiny",
        "net_state_dict": None,
        "train_acc1es": {last: 99.0},
        "train_acc5es": None,
        "train_losses": {last: 0.1},
        "train_times": None,
        "arch_config": {"arch_str": arch, "channel": 16, "num_cells": 5, "class_num": 10},
        "params": 0.1 * (index + 1),
        "flop": 10.0 * (index + 1),
        "seed": seed,
        "epochs": epochs,
        "latency": None,
        "eval_names": list(PARTS[dataset]),
        "eval_acc1es": {k: accuracy(index, dataset, p, seed, epochs) for p, k in keys.items()},
        "eval_losses": dict.fromkeys(keys.values(), 0.2),
        "eval_times": {},
    }


def results(index: int, arch: str, epochs: int, seeds: dict[str, tuple[int, ...]]) -> dict:
    """The state of all trainings of an architecture for so many epochs."""
    return {
        "arch_index": index,
        "arch_str": arch,
        "clear_net_done": True,
        "dataset_seed": {dataset: list(some) for dataset, some in seeds.items()},
        "all_results": {
            (dataset, seed): trial(index, arch, dataset, seed, epochs)
            for dataset, some in seeds.items()
            for seed in some
        },
    }


def write(path: Path, obj: object) -> None:
    """One file as the package reads it."""
    path.write_bytes(bz2.compress(pickle.dumps(obj)))


def write_directory(path: Path, archs: list[str], missing: dict[int, tuple[str, ...]]) -> None:
    """A directory of some architectures.

    Args:
        path: made here.
        archs: in the order of NATS-Bench's indices.
        missing: index -> data sets without trainings for 200 epochs.
    """
    path.mkdir()
    write(path / "meta.pickle.pbz2", {"meta_archs": archs, "total_archs": set(range(len(archs)))})
    for index, arch in enumerate(archs):
        # Like the real one: three seeds for 200 epochs, of some architectures fewer; one for 12.
        seeds = {dataset: SEEDS[: 3 - index % 2] for dataset in PARTS}
        long = {d: s for d, s in seeds.items() if d not in missing.get(index, ())}
        short = {dataset: SEEDS[:1] for dataset in PARTS}
        states = {"200": results(index, arch, 200, long), "12": results(index, arch, 12, short)}
        write(path / f"{index:06d}.pickle.pbz2", states)
