"""A tagging run on this machine: files of posts in, a folder of tagged parts out.

What becomes of odd rows, so that none is lost and few are refused:

- Rejected, with the reason: a line that is no JSON object, a CSV record with a stray quote or
  another number of fields than the header, bytes that are not of the encoding, a text that is
  missing, null, blank, no string or too long, a post that the model fails on.
- Kept as it is: a text with a NUL; an id that several rows have (counted once the run is done).
- Put right and counted as a warning: half an emoji from a JSON escape becomes U+FFFD; a time that
  is not understood becomes null; an author or the like that is a list or an object becomes JSON.
- Blank lines of JSON lines and CSV are no rows. An empty id, author or channel is a missing one.
- Passed-through columns keep their Arrow types, where the inputs agree on them; JSON keys whose
  values are nested or of several kinds become JSON text; CSV columns are strings.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import murmure
from murmure.batch.columns import Plan, parse_columns
from murmure.batch.dates import check_dates
from murmure.batch.files import locked, sync_folder
from murmure.batch.flow import Limits, read_chunks, tag_chunks, unless_all_fail
from murmure.batch.folder import SPOOL_NAME, RunFolder, check_free, resume, start
from murmure.batch.forgotten import Forgotten
from murmure.batch.inputs import Input, survey_all
from murmure.batch.lines import check_encoding
from murmure.batch.manifest import (
    MANIFEST_NAME,
    Identity,
    Manifest,
    check_same,
    part_format,
    read_erasures,
    read_manifest,
)
from murmure.batch.pool import Tagger, default_jobs, make_tagger
from murmure.batch.settings import Progress, RunSummary, Settings
from murmure.batch.sources import STANDARD, Source, expand, sha256_of
from murmure.batch.stream import FROM_STANDARD_INPUT, tag_stream
from murmure.batch.worker import LoadPredictor
from murmure.batch.writers import PartFormat
from murmure.errors import RunError, UsageError
from murmure.tagging.folder import default_model, kind_of

PART_ROWS = 100_000
CHUNK_ROWS = 2_048
#: Of an encoder, which takes seconds for so many: several workers shall share a short file, too.
ENCODER_CHUNK_ROWS = 512
MAX_TEXT = 1_000_000

_FILE_SUFFIXES = {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".gz", ".zst"}


def tag_file(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    model: str | Path | None = None,
    catalog: str | Path | None = None,
    columns: str | Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    dates: str | None = None,
    format: str | None = None,
    jobs: int | None = None,
    overwrite: bool = False,
    part_rows: int = PART_ROWS,
    chunk_rows: int | None = None,
    max_text: int = MAX_TEXT,
    load_predictor: LoadPredictor | None = None,
    progress: Callable[[Progress], None] | None = None,
    notice: Callable[[str], None] | None = None,
    stdin: BinaryIO | None = None,
    stdout: TextIO | None = None,
    rejects: TextIO | None = None,
) -> RunSummary:
    """Tags files of posts, however long, into a folder of parts.

    A run that was stopped, by whatever, goes on where it was when it is started again with the
    same arguments, and gives the same bytes as one that was not. Every input row is either in
    the parts or in `rejects.jsonl` with the reason why.

    Args:
        sources: paths of files and folders, glob patterns, or `-` for JSON lines on standard
            input, from which a run cannot go on after a stop.
        out: the folder; `-` writes JSON lines (or CSV) to `stdout` and rejects, as JSON lines, to
            `rejects`, and cannot go on after a stop either.
        model: name or folder of the model; None for the default.
        catalog: TOML file of brands whose mentions are to be found.
        columns: which input column fills which of murmure's, as `"text=body,author=user"` or a
            mapping.
        encoding: of text files.
        dates: `"day-first"` or `"month-first"`, to understand dates such as 12/03/2026; without it
            they are left empty, and counted.
        format: how the parts are written: `"parquet"` (None for a folder), which counts and
            reports need, `"jsonl"` (None for `-`) or `"csv"`, whose texts are guarded against
            being run as formulas (`murmure.guard`).
        jobs: processes that tag; 1 tags in this process. If None, as many as there are cores, or
            1 for small inputs. The result is the same.
        overwrite: start anew where the folder holds a run.
        part_rows: input rows a part.
        chunk_rows: input rows, at most, that are tagged together; None for as many as suit the
            model.
        max_text: texts of more characters are rejected.
        load_predictor: makes the predictor from `model` and `catalog`; with several jobs it
            must be importable from a module.
        progress: is called with how far the run is, a few times a second.
        notice: is called with what the user should know.
        stdin: read instead of the process's standard input.
        stdout: written to instead of the process's standard output.
        rejects: written to instead of the process's standard error.

    Returns:
        how many rows were tagged and rejected, and how long it took.

    Raises:
        InputError: a source that cannot be read as a table of posts.
        UsageError: options that do not exist or do not fit each other.
        ModelError: no such model, or a damaged one.
        RunError: the folder holds something else, is in use, or cannot be written.

    Example:
        >>> tag_file("no-such.csv", "runs/none", jobs=1)
        Traceback (most recent call last):
            ...
        murmure.errors.InputError: no-such.csv: no such file or folder
    """
    given = [sources] if isinstance(sources, str | Path) else list(sources)
    if STANDARD in map(str, given) and len(given) > 1:
        raise UsageError("- (standard input) cannot be mixed with other sources")
    name = default_model() if model is None else str(model)
    limits = Limits(
        part_rows=part_rows,
        chunk_rows=chunk_rows_of(name) if chunk_rows is None else chunk_rows,
        max_text=max_text,
    )
    for limit, value in asdict(limits).items():
        if value < 1:
            raise UsageError(f"{limit}: expected 1 or more, but was given {value}")
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs: expected 1 or more, but was given {jobs}")
    check_encoding(encoding)
    settings = Settings(
        model=name,
        catalog=None if catalog is None else Path(catalog),
        columns=parse_columns(columns),
        encoding=encoding,
        dates=check_dates(dates),
        part_format=_format(format, is_stream=str(out) == STANDARD),
        jobs=jobs,
        overwrite=overwrite,
        limits=limits,
        load=load_predictor,
        progress=progress or (lambda _: None),
        notice=notice or (lambda _: None),
    )
    began = time.perf_counter()
    if str(out) == STANDARD:
        try:
            summary = tag_stream(
                given,
                settings,
                stdin=stdin or sys.stdin.buffer,
                stdout=stdout or sys.stdout,
                rejects=rejects or sys.stderr,
            )
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            raise RunError(f"standard output: cannot be written ({reason})") from error
    else:
        summary = _tag_to_folder(given, Path(out), settings, stdin or sys.stdin.buffer)
    return replace(summary, seconds=time.perf_counter() - began)


def chunk_rows_of(model: str) -> int:
    """How many rows are tagged together by the model of this name, or in this folder."""
    return ENCODER_CHUNK_ROWS if kind_of(model) == "encoder" else CHUNK_ROWS


def _format(given: str | None, *, is_stream: bool) -> PartFormat:
    try:
        found = part_format(given or ("jsonl" if is_stream else "parquet"))
    except ValueError as error:
        raise UsageError(f"--format: {error}") from error
    if is_stream and found == "parquet":
        raise UsageError("--format: Parquet goes to a folder, not to standard output; -o FOLDER")
    return found


def _tag_to_folder(
    given: Sequence[str | Path], out: Path, settings: Settings, stdin: BinaryIO
) -> RunSummary:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; -o takes a folder, or - for JSON lines")
    if not out.exists() and out.suffix.lower() in _FILE_SUFFIXES:
        way = "CSV, --format csv" if out.suffix.lower() == ".csv" else "JSON lines,"
        raise UsageError(f"{out}: -o takes a folder; for one file of {way} -o - > {out.name}")
    is_new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        sync_folder(out.parent)
        with locked(out):
            before, erasures = _read_before(out, settings)
            if not (out / MANIFEST_NAME).exists():
                check_free(out)
            try:
                sources = _sources(given, out, settings, stdin, is_new=before is None)
                return _run(sources, out, before, erasures, settings)
            finally:
                (out / SPOOL_NAME).unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"{out}: cannot be written ({reason}); when that is mended, the same command"
        raise RunError(f"{message} goes on from the last finished part") from error
    finally:
        if is_new and out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def _read_before(out: Path, settings: Settings) -> tuple[Manifest | None, Sequence[Forgotten]]:
    """What an earlier run left, and who was forgotten there."""
    try:
        before = read_manifest(out, untouched=True)
    except RunError:
        if not settings.overwrite:
            raise
        erasures = read_erasures(out)
        message = f"{out / MANIFEST_NAME}: damaged or of another version; {len(erasures)} erasures"
        message += " could be read in it, and hold on. If there were others, run murmure forget"
        settings.notice(f"{message} again for each")
        return None, erasures
    return before, () if before is None else before.erasures


def _sources(
    given: Sequence[str | Path],
    out: Path,
    settings: Settings,
    stdin: BinaryIO,
    *,
    is_new: bool,
) -> list[Source]:
    """The files to read; standard input is laid down in the folder first, to be read twice."""
    if [str(one) for one in given] != [STANDARD]:
        return expand(given, leave_out=out)
    if not is_new and not settings.overwrite:
        message = f"{out}: holds a run, and one from standard input cannot go on"
        raise RunError(f"{message}; --overwrite starts anew")
    settings.notice(FROM_STANDARD_INPUT)
    spool = out / SPOOL_NAME
    with spool.open("wb") as file:
        shutil.copyfileobj(stdin, file)
    return [Source(STANDARD, spool, "jsonl")]


def _run(
    sources: Sequence[Source],
    out: Path,
    before: Manifest | None,
    erasures: Sequence[Forgotten],
    settings: Settings,
) -> RunSummary:
    catalog = None if settings.catalog is None else _catalog(settings.catalog)
    # The workers load the model while the inputs are looked through.
    tagger = make_tagger(
        settings.model,
        catalog=settings.catalog,
        jobs=settings.jobs or default_jobs(sources),
        load=settings.load,
    )
    with closing(tagger):
        inputs, plan = survey_all(
            sources,
            encoding=settings.encoding,
            columns=settings.columns,
            dates=settings.dates,
            notice=settings.notice,
        )
        identity = _identity(inputs, tagger, catalog, settings)
        if before is None or settings.overwrite:
            manifest = start(out, identity, erasures)
        else:
            manifest = before
            check_same(out, manifest.identity, identity)
            resume(out, manifest)
        resumed = manifest.rows
        if manifest.complete:
            return _summary(out, manifest, resumed=resumed, already_done=True)
        if resumed:
            settings.notice(f"going on from row {resumed}")
        run_folder = RunFolder(
            out, manifest, schema=plan.schema(), part_rows=settings.limits.part_rows
        )
        with run_folder:
            _fill(run_folder, inputs, plan, tagger, settings)
            # Counting needs the memory that the workers hold.
            tagger.close()
            run_folder.finish()
    return _summary(out, manifest, resumed=resumed)


def _fill(
    run_folder: RunFolder,
    inputs: Sequence[Input],
    plan: Plan,
    tagger: Tagger,
    settings: Settings,
) -> None:
    manifest = run_folder.manifest
    done = [one.rows for one in manifest.counts()]
    resumed = rows = sum(done)
    rejected = manifest.rejected
    total = sum(one.rows for one in inputs)
    chunks = read_chunks(inputs, plan, limits=settings.limits, done=done)
    for chunk in unless_all_fail(
        tag_chunks(chunks, tagger, first_row=resumed, notice=settings.notice),
        tagged=manifest.tagged,
    ):
        run_folder.add(chunk)
        rows += chunk.rows
        rejected += len(chunk.rejects)
        settings.progress(
            Progress(rows=rows, rejected=rejected, resumed=resumed, total=max(total, rows))
        )


def _identity(
    inputs: Sequence[Input], tagger: Tagger, catalog: Mapping[str, Any] | None, settings: Settings
) -> Identity:
    """What makes this run this run: nothing that leaves the result as it is, such as the jobs."""
    name, model_fingerprint = tagger.describe()
    return Identity(
        inputs=[
            {
                "source": one.source.label,
                "format": one.source.format,
                "size": one.size,
                "sha256": one.sha256,
            }
            for one in inputs
        ],
        model={"name": name, "fingerprint": model_fingerprint},
        catalog=catalog,
        configuration={
            "murmure": murmure.__version__,
            "columns": dict(sorted(settings.columns.items())),
            "encoding": settings.encoding,
            **({} if settings.dates is None else {"dates": settings.dates}),
            "format": settings.part_format,
            **asdict(settings.limits),
        },
    )


def _catalog(file: Path) -> dict[str, Any]:
    """What a manifest tells of a catalogue, for counts that are made without it."""
    from murmure.catalog import Catalog

    catalog = Catalog.load(file)
    return {
        "file": file.name,
        "sha256": sha256_of(file),
        "fingerprint": catalog.fingerprint,
        "brands": [{"name": brand.name, "group": brand.group} for brand in catalog.brands],
    }


def _summary(
    out: Path, manifest: Manifest, *, resumed: int, already_done: bool = False
) -> RunSummary:
    return RunSummary(
        out=str(out),
        rows=manifest.rows,
        tagged=manifest.tagged,
        rejected=manifest.rejected,
        forgotten=manifest.forgotten,
        resumed=resumed,
        already_done=already_done,
        rejected_for=manifest.reasons(),
        warnings=manifest.warnings(),
        duplicate_ids=manifest.duplicate_ids,
    )
