"""Trains murmure's models: corpora in, a measured and calibrated model folder out."""
