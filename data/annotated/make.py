"""Make `records.parquet` anew from the corpus, or compare it with the corpus.

Usage: `python data/annotated/make.py ../shared/corpora/annotated [--check]`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from murmure.errors import MurmureError
from murmure.training.standoff import make_records, read_records, verify, write_records

RECORDS = Path(__file__).with_name("records.parquet")


def main() -> int:
    """Write the records, or tell which differ; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="a folder with train.parquet and the texts")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    options = parser.parse_args()
    try:
        if not options.check:
            write_records(make_records(options.corpus), RECORDS)
            return 0
        different = verify(read_records(RECORDS), options.corpus)
    except MurmureError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stderr.write(f"{len(different)} records differ{': ' if different else ''}")
    sys.stderr.write(", ".join(different[:10]) + "\n")
    return int(bool(different))


if __name__ == "__main__":
    raise SystemExit(main())
