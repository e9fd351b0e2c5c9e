"""Comparisons with what murmure's users would use instead, one command each."""
