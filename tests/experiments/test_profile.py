"""The profile as a user runs it, on the smallest images."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_says_arithmetic_speed_and_kinds(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "experiments.profile", "--n=2", "--side=4", f"--trace={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    first, second, *table = done.stdout.splitlines()
    assert re.match(r"kernel of N = 2: [\d.]+ s \(compile [\d.]+ s\), [\d.]+ GFLOP in prod", first)
    assert re.match(r"this machine, one device: [1-9]\d* GFLOP/s .* [1-9]\d* GB/s in a sum", second)
    shares = [int(line.split()[-1].rstrip("%")) for line in table[2:]]
    assert 95 <= sum(shares) <= 105
    assert table[2].startswith(("products", "shifts", "reductions", "elementwise", "copies"))
    assert list(tmp_path.rglob("*.xplane.pb"))
