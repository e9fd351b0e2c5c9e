"""What a run is asked for, how far it is, and what it came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from murmure.batch.dates import DateOrder
from murmure.batch.flow import Limits
from murmure.batch.worker import LoadPredictor
from murmure.batch.writers import PartFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        rows: input rows done, with those of the run that this one goes on from.
        rejected: how many of them were rejected.
        resumed: how many were done before.
        total: how many there are; of CSV about; None where that is not known.
    """

    rows: int
    rejected: int
    resumed: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a run came to.

    Attributes:
        out: the folder, or `-`.
        rows: input rows; always the sum of the next three.
        tagged: rows written.
        rejected: rows listed in the rejects.
        forgotten: rows whose author was forgotten in this folder; in neither.
        resumed: how many rows an earlier, interrupted run had done.
        already_done: whether the run was finished before, so that nothing was left to do.
        seconds: how long this call took.
        rejected_for: how often rows were rejected, by the kind of fault.
        warnings: how often something was put right, by what it was.
        duplicate_ids: how many `ids` several `rows` have, and the `first` of them; None where
            the rows went to standard output, uncounted.
    """

    out: str
    rows: int
    tagged: int
    rejected: int
    forgotten: int = 0
    resumed: int = 0
    already_done: bool = False
    seconds: float = 0.0
    rejected_for: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    duplicate_ids: Mapping[str, Any] | None = None

    @property
    def rate(self) -> float:
        """Rows a second, of those done by this call."""
        return (self.rows - self.resumed) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `tag_file` was asked for, checked.

    Attributes:
        model: name or folder of the model.
        catalog: file of the catalogue, if any.
        columns: which input column fills which of murmure's, where the names differ.
        encoding: of text files.
        dates: what stands first in dates such as 12/03/2026.
        part_format: how the tagged rows are written.
        jobs: processes that tag; None for as many as are worth it.
        overwrite: whether an earlier run gives way.
        limits: where parts, chunks and texts end.
        load: makes the predictor.
        progress: is told how far the run is.
        notice: is told what the user should know.
    """

    model: str
    catalog: Path | None
    columns: Mapping[str, str]
    encoding: str
    dates: DateOrder | None
    part_format: PartFormat
    jobs: int | None
    overwrite: bool
    limits: Limits
    load: LoadPredictor | None
    progress: Callable[[Progress], None]
    notice: Callable[[str], None]
