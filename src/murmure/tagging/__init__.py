"""Models that tag posts, and the one way to load and ask them."""

from murmure.tagging.predictor import Model, Predictor

__all__ = ["Model", "Predictor"]
