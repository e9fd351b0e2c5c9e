"""What later commands keep beside a run's parts, and how an erased author's posts leave it."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from murmure.batch.files import put_in_place, temporary
from murmure.errors import RunError

#: Mentions of other catalogues than the run's own; counting makes them anew where they are missing.
MENTIONS_FOLDER = "mentions"
#: Samples drawn for labelling, and the labels given.
AUDIT_FOLDER = "audit"


def erase_beside(folder: Path, ids: Collection[str]) -> None:
    """Removes posts from all that is kept beside a run's parts.

    Posts of others that have one of these ids leave the audits too.

    Args:
        folder: the run's.
        ids: of the posts.

    Raises:
        RunError: an audit's file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    shutil.rmtree(folder / MENTIONS_FOLDER, ignore_errors=True)
    gone = pa.array(sorted(ids), pa.string())
    for file in sorted((folder / AUDIT_FOLDER).glob("*.parquet")):
        try:
            # A folder called `id=5` is not taken for a column.
            with pq.ParquetFile(file) as parquet:
                table = parquet.read()
            if "id" not in table.column_names:
                continue
            kept = table.filter(pc.invert(pc.is_in(table["id"], value_set=gone)))
        except (pa.ArrowException, OSError) as error:
            first = str(error).strip().partition("\n")[0]
            message = f"cannot be read ({first}), so nobody's posts can be erased from it; mend or"
            raise RunError(f"{message} remove it, and start again", file=file) from error
        if kept.num_rows < table.num_rows:
            pq.write_table(kept, temporary(file))
            put_in_place(temporary(file), file)
