"""Installs tenas_jax: `pip install .`, or `pip install '.[test]'` to work on it."""

from pathlib import Path

from setuptools import find_packages, setup

REQUIRED = [
    "jax>=0.10",
    "flax>=0.12",
    "optax>=0.2.5",
    "orbax-checkpoint>=0.12.8",
    "neural-tangents==0.6.5",  # the last release; tenas_jax/ntk/_compat.py knows this one
    "numpy>=2.0",
    "absl-py>=2.1",
    "ml_collections>=1.0",
    "tensorflow-datasets>=4.9.7",
    "importlib_resources>=6.0",  # tensorflow-datasets reads prepared data with it, unasked for
    "array-record>=0.8",  # the files of tensorflow-datasets that need no TensorFlow
    "pillow>=10.0",
    "scikit-image>=0.25",  # its photographs are the default data
    "scipy>=1.14",
    "pandas>=2.2",
    "matplotlib>=3.9",
    "tqdm>=4.66",
    "jinja2>=3.1",  # the page of experiments.report
    "plotly>=6.0",  # its figures that can be turned
]
PARQUET = ["pyarrow>=18.0"]
TENSORBOARD = ["tensorboardX>=2.6"]
NATS_BENCH = ["nats_bench>=1.8"]
PARETO = ["pymoo>=0.6.1"]  # the search strategy nsga2
TEST = ["pytest>=8.0", "pytest-xdist>=3.5", "hypothesis>=6.100", "ruff>=0.6", "selenium>=4.20"]
TEST += ["equinox>=0.13.8"]  # one of the kinds of models that can be scored
TEST += [*PARQUET, *TENSORBOARD, *NATS_BENCH, *PARETO]

setup(
    name="tenas_jax",
    version="0.2.0",
    description="Neural architecture search without training, in JAX",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11",
    packages=find_packages(include=["tenas_jax*", "experiments*", "configs*"]),
    package_data={"tenas_jax.report.page": ["*.jinja", "*.css", "*.js"]},
    install_requires=REQUIRED,
    extras_require={
        "tpu": ["jax[tpu]>=0.10"],
        "cuda": ["jax[cuda13]>=0.10"],
        "parquet": PARQUET,
        "tensorboard": TENSORBOARD,
        "nats_bench": NATS_BENCH,
        "pareto": PARETO,
        "test": TEST,
        "docs": ["mkdocs>=1.6"],
    },
)
