"""The import of neural-tangents: which versions it works with, and its good manners."""

import importlib.metadata
import subprocess
import sys
import textwrap

import jax
import pytest

from tenas_jax.errors import UserError
from tenas_jax.ntk import _compat


@pytest.mark.parametrize("version", [(0, 9, 2), (0, 13, 0), (1, 0, 0)])
def test_untested_jax_is_refused(version, monkeypatch):
    monkeypatch.setattr(jax, "__version_info__", version)
    monkeypatch.setattr(jax, "__version__", ".".join(map(str, version)))
    with pytest.raises(UserError, match=f"untested with jax {jax.__version__}") as caught:
        _compat.load()
    message = str(caught.value)
    assert "\n" not in message and "engine 'jacobian' works with any" in message
    assert all(v in message for v in _compat.TESTED)


@pytest.mark.parametrize("installed", ["0.6.4", None])
def test_missing_or_other_neural_tangents_is_refused(installed, monkeypatch):
    def version(name):
        if installed is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed

    monkeypatch.delitem(sys.modules, "neural_tangents", raising=False)
    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(UserError, match="pip install --no-deps neural-tangents==0.6.5 frozendict"):
        _compat.load()


IMPORT = """
    import sys, threading
    import jax, jax.core, jax.extend.core
    from jax.interpreters import ad
    from tenas_jax.errors import UserError
    from tenas_jax.ntk import _compat

    def state():
        return dict(vars(jax.core)), dict(vars(ad)), "jax.util" in sys.modules, hasattr(jax, "util")

    def package():
        return {n for n in sys.modules if n.split(".")[0] == "neural_tangents"}

    before = state()
    assert not package()
    sys.modules["frozendict"] = None  # An import that fails half way.
    try:
        _compat.load()
        raise SystemExit("load() did not fail")
    except UserError as error:
        assert "--no-deps" in str(error) and "frozendict" in str(error), error
    assert state() == before
    assert not package()

    del sys.modules["frozendict"]
    loaded = []
    threads = [threading.Thread(target=lambda: loaded.append(_compat.load())) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert state() == before
    assert loaded == [_compat.load()] * 4
    import neural_tangents
    assert neural_tangents is loaded[0] and neural_tangents.__version__ == _compat.VERSION
    assert not hasattr(neural_tangents, "experimental")
    assert not {"tensorflow", "tf2jax", "neural_tangents.experimental"} & set(sys.modules)
"""


def test_import_leaves_jax_as_it_was_and_tensorflow_alone(tmp_path):
    """In a fresh process, with warnings as errors and a TensorFlow that fails if imported."""
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('TensorFlow was imported')\n")
    paths = [str(tmp_path), *filter(None, sys.path)]
    code = f"import sys; sys.path[:] = {paths!r}\n" + textwrap.dedent(IMPORT)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
