"""How far the readings of this folder agree with those of `annotated`: Cohen's kappa per tag.

    python data/further/agreement.py

Posts of `annotated` were dealt among those to be read, and nobody was told which they were:
`again.parquet` holds their second reading. No text is needed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sklearn.metrics import cohen_kappa_score

from murmure.schema import TAGS
from murmure.training.standoff import read_records, rows_by_hash

HERE = Path(__file__).parent


def main() -> int:
    """Write a line per tag, and give the exit code."""
    first = read_records(HERE.parent / "annotated" / "records.parquet")
    second = read_records(HERE / "again.parquet")
    known = rows_by_hash(first)
    rows = [known[digest] for digest in second["sha256"].to_pylist()]
    sys.stdout.write(f"{len(rows)} posts read twice\n")
    for tag in TAGS:
        before = first[tag].take(rows).to_pylist()
        after = second[tag].to_pylist()
        same = sum(map(str.__eq__, before, after)) / len(rows)
        kappa = cohen_kappa_score(before, after)
        sys.stdout.write(f"{tag}: {same:.3f} alike, kappa {kappa:.2f}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
