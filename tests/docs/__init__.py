"""Runs what the documentation shows, and compares what comes out with what it says comes out."""
