"""Tagging to standard output: JSON lines or CSV out, rejects beside them, nothing kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TextIO

from murmure.batch.blocks import Block
from murmure.batch.columns import Plan, likely_text, make_plan
from murmure.batch.flow import read_chunks, tag_chunks, unless_all_fail
from murmure.batch.inputs import survey_all
from murmure.batch.jsonl import JsonLinesReader
from murmure.batch.lines import wrap_text
from murmure.batch.pool import default_jobs, make_tagger
from murmure.batch.rows import Chunk, to_chunk
from murmure.batch.settings import Progress, RunSummary, Settings
from murmure.batch.sources import STANDARD, Source, expand
from murmure.batch.values import json_line
from murmure.batch.writers import TEXT_PARTS
from murmure.errors import InputError, UsageError

#: What a run from standard input says of itself.
FROM_STANDARD_INPUT = "reading standard input: if this run is stopped, it must be started anew"
_STDIN = Source(STANDARD, Path(STANDARD), "jsonl")


def tag_stream(
    given: Sequence[str | Path],
    settings: Settings,
    *,
    stdin: BinaryIO,
    stdout: TextIO,
    rejects: TextIO,
) -> RunSummary:
    """Tags sources, or standard input as it comes in, and writes each row as JSON or CSV.

    Args:
        given: sources as `tag_file` takes them.
        settings: as checked there.
        stdin: JSON lines, where `-` was given.
        stdout: takes the tagged rows.
        rejects: takes the rejects, as they stand in `rejects.jsonl`.

    Raises:
        UsageError: CSV from standard input, whose columns nobody knows before it ends.
    """
    total: int | None = None
    rows = tagged = rejected = 0
    reasons: Counter[str] = Counter()
    warnings: Counter[str] = Counter()
    sources = None if [str(one) for one in given] == [STANDARD] else expand(given)
    if sources is None:
        if settings.part_format == "csv":
            message = "--format csv: the keys of standard input are known only at its end"
            raise UsageError(f"{message}; -o FOLDER, or --format jsonl")
        settings.notice(FROM_STANDARD_INPUT)
    writer = TEXT_PARTS[settings.part_format]
    tagger = make_tagger(
        settings.model,
        catalog=settings.catalog,
        jobs=settings.jobs or default_jobs(sources),
        load=settings.load,
    )
    with closing(tagger):
        if sources is None:
            labels = [STANDARD]
            chunks = _standard_input(stdin, settings)
        else:
            inputs, plan = survey_all(
                sources,
                encoding=settings.encoding,
                columns=settings.columns,
                dates=settings.dates,
                notice=settings.notice,
            )
            labels = [one.source.label for one in inputs]
            total = sum(one.rows for one in inputs)
            chunks = read_chunks(inputs, plan, limits=settings.limits, done=[0] * len(inputs))
            stdout.write(writer.head(plan.schema()).decode())
        tagger.describe()
        for chunk in unless_all_fail(
            tag_chunks(chunks, tagger, ahead=sources is not None, notice=settings.notice)
        ):
            stdout.write(writer.rows(chunk.batch).decode())
            stdout.flush()
            for reject in chunk.rejects:
                rejects.write(json_line(reject.to_dict(labels[chunk.source])))
                reasons[reject.reason.partition(":")[0]] += 1
            rows += chunk.rows
            tagged += chunk.batch.num_rows
            rejected += len(chunk.rejects)
            warnings.update(chunk.warnings)
            settings.progress(Progress(rows=rows, rejected=rejected, total=total))
    return RunSummary(
        out=STANDARD,
        rows=rows,
        tagged=tagged,
        rejected=rejected,
        rejected_for=dict(reasons),
        warnings=dict(warnings),
    )


def _standard_input(stdin: BinaryIO, settings: Settings) -> Iterator[Chunk]:
    """The rows of standard input, whose keys nobody knows before they come."""
    posts = replace(make_plan([], settings.columns), dates=settings.dates)
    stream = wrap_text(stdin, encoding=settings.encoding, newline="\n")
    reader = JsonLinesReader(
        _STDIN, plan=None, posts=posts, encoding=settings.encoding, stream=stream
    )
    block = reader.read(settings.limits.chunk_rows)
    if block is None:
        raise InputError("is empty", file=_STDIN.shown)
    _refuse_hopeless(block, posts)
    while block is not None:
        yield to_chunk(
            block,
            source=0,
            label=STANDARD,
            plan=None,
            posts=posts,
            max_text=settings.limits.max_text,
        )
        block = reader.read(settings.limits.chunk_rows)


def _refuse_hopeless(block: Block, posts: Plan) -> None:
    """Stops before a stream whose first rows are all without text, or in another encoding."""
    reasons = Counter(reject.reason.partition(":")[0] for reject in block.rejects)
    if reasons["text is missing"] == block.rows:
        try:
            names = list(json.loads(block.rejects[0].raw or ""))
        except ValueError:
            names = []
        found = f"; found {', '.join(map(repr, names[:12]))}" if names else ""
        message = f"no key {posts.posts['text']!r} in the first {block.rows} rows{found}"
        remedy = f"name it with --columns text={likely_text(names)}"
        raise InputError(f"{message}; {remedy}", file=_STDIN.shown, line=block.rejects[0].line)
    if reasons["not JSON"] == block.rows > 1:
        message = "holds no JSON lines, which are all that is read from here; give another kind of"
        raise InputError(f"{message} file by its name", file=_STDIN.shown, line=1)
    first = next((one for one in block.rejects if one.reason.startswith("not ")), None)
    undecoded = sum(count for reason, count in reasons.items() if _is_encoding(reason))
    if first is not None and undecoded * 2 > block.rows:
        message = f"{first.reason.partition(';')[0]}, and most rows are like it"
        raise InputError(f"{message}; give its encoding with --encoding", file=_STDIN.shown)


def _is_encoding(reason: str) -> bool:
    return reason.startswith("not ") and not reason.startswith("not JSON") and "JSON" not in reason
