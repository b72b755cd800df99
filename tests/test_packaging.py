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
    slow += " orbax.checkpoint optax tensorboardX jinja2 nats_bench plotly pymoo"
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


# What each part may import: the parts before it alone. Single modules count as parts.
ORDER = (
    (
        "errors",
        "files",
        "json_values",
        "json_lines",
        "environment",
        "records",
        "found",
        "processes",
        "summaries",
        "traced_programs",
        "device_loops",
    ),
    ("spaces", "data", "ntk"),
    ("networks",),
    ("metrics",),
    ("presets", "scores", "combining"),
    ("draws", "programs"),
    ("evaluate", "score", "golden"),
    ("search", "train", "benchmarks"),
    ("speed",),
    ("report",),
)


def test_everything_is_imported_one_way():
    rank = {part: number for number, parts in enumerate(ORDER) for part in parts}
    package = ROOT / "tenas_jax"
    for path in package.rglob("*.py"):
        part = path.relative_to(package).parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        found = re.findall(
            r"^\s*from tenas_jax(?:\.(\w+))?[\w.]* import (\w+)", path.read_text(), re.M
        )
        for module, name in found:
            other = module or name
            assert rank[other] <= rank[part], f"{path.relative_to(ROOT)} imports {other}"
            if rank[other] == rank[part] > 0:
                assert other == part, f"{path.relative_to(ROOT)} imports {other}, beside it"
        assert not re.search(r"^\s*from absl import .*(app|flags)", path.read_text(), re.M), (
            f"{path} knows flags"
        )
