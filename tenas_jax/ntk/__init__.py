"""Empirical neural tangent kernels behind one function, and their spectra."""

from tenas_jax.ntk.empirical import ENGINES, WEIGHTS, ntk, resolve_engine
from tenas_jax.ntk.spectrum import FLAGS, NOT_FINITE, OK, Conditioning, conditioning, spectrum

__all__ = [
    "ENGINES",
    "FLAGS",
    "NOT_FINITE",
    "OK",
    "WEIGHTS",
    "Conditioning",
    "conditioning",
    "ntk",
    "resolve_engine",
    "spectrum",
]
