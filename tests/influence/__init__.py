"""Tests of `murmure.influence`."""
