"""Tests; they mirror the modules of `murmure`."""
