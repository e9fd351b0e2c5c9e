"""The page: one self-contained HTML file that tells what the counts say."""

from murmure.report.page import build, write

__all__ = ["build", "write"]
