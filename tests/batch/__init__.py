"""Tests of tagging whole files."""
