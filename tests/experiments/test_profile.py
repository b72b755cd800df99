"""The profile as a user runs it, on the smallest images."""

import re


def test_it_says_arithmetic_speed_and_kinds(python, tmp_path):
    done = python("-m", "experiments.profile", "--n=2", "--side=4", f"--trace={tmp_path}")
    assert done.returncode == 0, done.stderr
    first, second, *table = done.stdout.splitlines()
    assert re.match(r"kernel of N = 2: [\d.]+ s \(compile [\d.]+ s\), [\d.]+ GFLOP in prod", first)
    assert re.match(r"this machine, one device: [1-9]\d* GFLOP/s .* [1-9]\d* GB/s in a sum", second)
    shares = [int(line.split()[-1].rstrip("%")) for line in table[2:]]
    assert 95 <= sum(shares) <= 105
    assert table[2].startswith(("products", "shifts", "reductions", "elementwise", "copies"))
    assert list(tmp_path.rglob("*.xplane.pb"))
