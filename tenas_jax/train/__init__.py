"""Training of a found architecture, and prediction with what was trained."""

from tenas_jax.train.card import Card
from tenas_jax.train.recipe import Recipe

__all__ = ["Card", "Recipe"]
