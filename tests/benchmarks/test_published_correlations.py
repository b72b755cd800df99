"""Rank correlations of NAS-Bench-201 that are known, through `rank`."""

import pathlib

import numpy as np
import pandas as pd
import pytest

from tenas_jax.benchmarks.intervals import resamples
from tenas_jax.benchmarks.ranking import rank

PARAMETERS = {"cifar10_test": 0.577, "cifar100_test": 0.552, "imagenet16_120_test": 0.519}
PROXIES = {  # (ρ, τ) with the test accuracy on CIFAR-10
    "synflow": (0.775, 0.578),
    "jacov": (0.798, 0.614),
    "nwot": (0.810, 0.623),
    "params": (0.798, 0.621),
    "grad_norm": (0.599, 0.440),
    "fisher": (0.551, 0.399),
    "zen": (0.114, 0.109),
}


@pytest.fixture
def proxy_table(accuracy_table) -> str:
    """Published scores at initialisation; the test is skipped where there are none."""
    path = pathlib.Path(accuracy_table).with_name("zero_cost_proxies.csv")
    if not path.is_file():
        pytest.skip(f"no scores at {path} (set TENAS_JAX_DATA)")
    return str(path)


def test_parameters_alone_rank_the_whole_space(accuracy_table):
    frame = pd.read_csv(accuracy_table)
    known = frame[frame["params_m"].notna()]  # eleven are blank; as the worst, τ is .001 lower
    assert (len(frame), len(known)) == (15625, 15614)
    some = resamples(len(known), 2, 0)
    for column, tau in PARAMETERS.items():
        row = rank(
            "params_m", known["params_m"], column, known[column], covariates={}, resamples=some
        )
        assert row.n == 15614 and row.tau == pytest.approx(tau, abs=5e-4)


def test_published_scores(accuracy_table, proxy_table):
    scores = pd.read_csv(proxy_table).rename(columns={"net_str": "arch"})
    joined = scores.merge(pd.read_csv(accuracy_table)[["arch", "cifar10_test"]], on="arch")
    assert len(joined) == 9445
    some = resamples(len(joined), 40, 0)
    for name, (rho, tau) in PROXIES.items():
        row = rank(
            name,
            joined[name],
            "cifar10_test",
            joined["cifar10_test"],
            covariates={"size": joined["params"]},
            resamples=some,
        )
        assert (row.rho, row.tau) == pytest.approx((rho, tau), abs=5e-4)
        assert row.tau_low < row.tau < row.tau_high and row.bad == 0
        assert (row.partial is None) == (name == "params")
        assert row.r_ranks == pytest.approx(row.rho) and np.isfinite(row.tau_top)
