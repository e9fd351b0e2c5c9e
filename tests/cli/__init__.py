"""Tests of `murmure.cli`."""
