"""Training of an architecture in full, and prediction with what was trained."""

from tenas_jax.train.card import Card
from tenas_jax.train.recipe import Recipe

__all__ = ["Card", "Recipe"]
