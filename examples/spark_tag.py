"""Tags posts on a Spark cluster, proves that none is lost, and counts them.

    spark-submit examples/spark_tag.py POSTS OUT --catalog brands.toml --counts counts.csv

POSTS are JSON lines or, with `--format parquet`, Parquet files, wherever Spark can read them; OUT
is a folder where it can write. Afterwards `OUT/posts` holds the tagged posts as Parquet and
`OUT/rejects` the other rows as JSON lines, each with the reason; FILE of `--counts` is written on
the machine where this runs. `docs/how-to/spark.md` tells what to set on the cluster, and why.
"""

from __future__ import annotations

import argparse
import logging
import sys

from pyspark import StorageLevel
from pyspark.sql import SparkSession

from murmure.batch.spark import tag
from murmure.errors import MurmureError
from murmure.influence import write_counts
from murmure.influence.spark import count

_LOG = logging.getLogger("murmure")


def main() -> int:
    """Runs the job; gives 0, or 1 where it failed or a row is missing."""
    options = _options()
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.INFO)
    session = SparkSession.builder.appName("murmure").getOrCreate()
    try:
        return run(session, options)
    except MurmureError as error:
        _LOG.error("%s", error)
        return 1
    finally:
        session.stop()


def run(session: SparkSession, options: argparse.Namespace) -> int:
    """Tags, checks and counts; gives the exit code."""
    frame = session.read.format(options.format).load(options.posts)
    tagged = tag(frame, model=options.model, catalog=options.catalog, columns=options.columns)
    # One pass makes both outputs: what was tagged waits on the workers' disks for the second.
    tagged.rows.persist(StorageLevel.DISK_ONLY)
    tagged.posts.write.parquet(f"{options.out}/posts")
    tagged.rejects.write.json(f"{options.out}/rejects")
    rejected = tagged.rejects.count()
    tagged.rows.unpersist()
    posts = session.read.parquet(f"{options.out}/posts")
    rows, kept = frame.count(), posts.count()
    _LOG.info("%d rows in, %d tagged, %d rejected", rows, kept, rejected)
    if rows != kept + rejected:
        _LOG.error("%d rows are missing", rows - kept - rejected)
        return 1
    if options.counts:
        counts = count(posts, catalog=options.catalog, model=options.model, window=options.window)
        write_counts(counts, options.counts)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tags posts on a Spark cluster and counts them.")
    parser.add_argument("posts", help="files or a folder that Spark can read")
    parser.add_argument("out", help="folder that Spark can write, not there yet")
    parser.add_argument("--format", choices=("json", "parquet"), default="json")
    parser.add_argument("--model", default="fast", help="a shipped model, or a folder")
    parser.add_argument("--catalog", help="brands to look for (TOML), on this machine")
    parser.add_argument("--columns", help="which column is which: text=body,author=user")
    parser.add_argument("--counts", metavar="FILE", help=".csv, .parquet or .jsonl, here")
    parser.add_argument("--window", choices=("day", "week", "month"), default="week")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
