"""The page: one self-contained HTML file that tells what the counts say."""

from murmure.report.page import build, build_pages, check_output, write

__all__ = ["build", "build_pages", "check_output", "write"]
