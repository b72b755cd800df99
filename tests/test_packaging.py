"""What is installed, and what an import costs."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def required() -> set[str]:
    text = (ROOT / "setup.py").read_text()
    block = re.search(r"REQUIRED = \[(.*?)\n\]", text, re.DOTALL).group(1)
    return set(re.findall(r'"([^"]+)",', block))


def test_the_lean_list_is_what_setup_asks_for_without_tensorflow():
    lines = (ROOT / "requirements-lean.txt").read_text().splitlines()
    lean = {line for line in lines if line and not line.startswith("#")}
    # frozendict is what neural-tangents itself needs.
    assert lean - {"frozendict>=2.4"} == required() - {"neural-tangents==0.6.5"}


def test_only_neural_tangents_is_pinned():
    assert [r for r in required() if "==" in r] == ["neural-tangents==0.6.5"]


def test_an_import_loads_nothing_slow():
    """TensorFlow above all, which is never imported; the others when they are used."""
    slow = "tensorflow tensorflow_datasets neural_tangents skimage matplotlib pandas scipy.stats"
    slow += " orbax.checkpoint optax tensorboardX jinja2 nats_bench plotly pymoo equinox flax.nnx"
    code = (
        f"import sys, tenas_jax\nprint([name for name in {slow.split()!r} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert out.stdout.strip() == "[]", out.stderr


def test_only_one_module_touches_private_jax():
    users = [
        str(path.relative_to(ROOT))
        for folder in ("tenas_jax", "experiments", "configs")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"^\s*(import|from) jax\.(_src|interpreters|core)", path.read_text(), re.M)
    ]
    assert users == ["tenas_jax/ntk/_compat.py"]


# What a folder may import: those of rows above, and itself; `runs` serves all from scoring on.
ORDER = (
    ("errors",),
    ("tracing", "spaces", "data", "runs"),
    ("networks",),
    ("ntk",),
    ("metrics",),
    ("scoring",),
    ("search", "benchmarks"),
    ("train",),
    ("report",),
)
BELOW_RUNS = ("spaces", "data", "tracing", "networks", "ntk", "metrics")


def test_everything_is_imported_one_way():
    row = {folder: number for number, folders in enumerate(ORDER) for folder in folders}
    package = ROOT / "tenas_jax"
    for path in package.rglob("*.py"):
        own = path.relative_to(package).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        text = path.read_text()
        for module, name in re.findall(
            r"^\s*from tenas_jax(?:\.(\w+))?[\w.]* import (\w+)", text, re.M
        ):
            other = module or name
            where = f"{path.relative_to(ROOT)} imports {other}"
            assert other == own or row[other] < row[own], where
            assert not (other == "runs" and own in BELOW_RUNS), where
        assert not re.search(r"^\s*from absl import .*(app|flags)", text, re.M), f"{path}: flags"
