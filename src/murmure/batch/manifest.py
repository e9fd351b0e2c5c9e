"""The manifest of a run's folder: what went in, what came out, and how far the run is."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from murmure.batch.files import write_whole
from murmure.batch.forgotten import Forgotten
from murmure.batch.shape import ERASURE, check_shape, fault
from murmure.batch.writers import PART_FORMATS, PartFormat
from murmure.errors import RunError

MANIFEST_NAME = "manifest.json"
REJECTS_NAME = "rejects.jsonl"
FORMAT = "murmure-run"
VERSION = 1
_ANEW = "--overwrite starts anew"
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows of one input within one part."""

    input: int
    rows: int
    tagged: int
    rejected: int
    forgotten: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One finished part of a run.

    Attributes:
        file: its name.
        first_row: number of its first input row, over all inputs, from 0.
        rows: how many input rows it covers.
        tagged: how many of them it holds.
        rejected: how many of them are in the rejects.
        forgotten: how many of them are in neither, because their author was forgotten.
        size: its bytes.
        sha256: of its bytes.
        rejects_end: how many bytes of rejects there are up to the end of this part.
        counts: the same per input.
        reasons: how often rows were rejected, by the kind of fault.
        warnings: how often something was put right, by what it was.
    """

    file: str
    first_row: int
    rows: int
    tagged: int
    rejected: int
    size: int
    sha256: str
    rejects_end: int
    forgotten: int = 0
    counts: tuple[Counts, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What makes two runs the same run.

    Attributes:
        inputs: name, size and SHA-256 of each input.
        model: name and fingerprint.
        catalog: file, SHA-256, fingerprint and brands (name, group) of the catalogue, if any.
        configuration: every setting that the result depends on.
    """

    inputs: Sequence[Mapping[str, Any]]
    model: Mapping[str, Any]
    catalog: Mapping[str, Any] | None
    configuration: Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Manifest:
    """What a run's folder says of itself. It holds no times: the same run has the same bytes.

    Attributes:
        identity: what was run over what.
        parts: what is done.
        complete: whether all is done.
        rejects_sha256: of the rejects, once all is done.
        duplicate_ids: how many ids several rows have, once all is done.
        erasures: who was forgotten, without their names.
    """

    identity: Identity
    parts: list[Part] = field(default_factory=list)
    complete: bool = False
    rejects_sha256: str | None = None
    duplicate_ids: Mapping[str, Any] | None = None
    erasures: list[Forgotten] = field(default_factory=list)

    @property
    def part_format(self) -> PartFormat:
        """How the parts are written."""
        return part_format(self.identity.configuration.get("format", "parquet"))

    @property
    def rows(self) -> int:
        """Input rows done."""
        return sum(part.rows for part in self.parts)

    @property
    def tagged(self) -> int:
        """Rows in the parts."""
        return sum(part.tagged for part in self.parts)

    @property
    def rejected(self) -> int:
        """Rows in the rejects."""
        return sum(part.rejected for part in self.parts)

    @property
    def forgotten(self) -> int:
        """Rows that are in neither, because their author was forgotten."""
        return sum(part.forgotten for part in self.parts)

    @property
    def rejects_end(self) -> int:
        """Bytes of rejects written by the parts that are done."""
        return self.parts[-1].rejects_end if self.parts else 0

    def counts(self) -> list[Counts]:
        """Rows of each input, in all parts."""
        totals = {number: dict.fromkeys(_COUNTED, 0) for number in range(len(self.identity.inputs))}
        for part in self.parts:
            for one in part.counts:
                for name in _COUNTED:
                    totals[one.input][name] += getattr(one, name)
        return [Counts(input=number, **total) for number, total in totals.items()]

    def reasons(self) -> dict[str, int]:
        """How often rows were rejected, by the kind of fault."""
        return _summed(part.reasons for part in self.parts)

    def warnings(self) -> dict[str, int]:
        """How often something was put right, by what it was."""
        return _summed(part.warnings for part in self.parts)

    def check(self) -> None:
        """Makes sure that no row was lost: rows in = tagged + rejected (+ forgotten), throughout.

        Raises:
            RunError: one was; this is a fault of murmure's.
        """
        first = 0
        for part in self.parts:
            by_input = [sum(getattr(one, name) for one in part.counts) for name in _COUNTED]
            sums = [getattr(part, name) for name in _COUNTED]
            if part.rows != part.tagged + part.rejected + part.forgotten or by_input != sums:
                message = f"{part.file}: {part.rows} rows in, but {part.tagged} tagged and"
                message += f" {part.rejected} rejected"
                message += f" and {part.forgotten} forgotten" if part.forgotten else ""
                raise RunError(f"{message}; please report this")
            if part.first_row != first:
                raise RunError(f"{part.file}: begins at row {part.first_row}, expected {first}")
            first += part.rows

    def to_dict(self) -> dict[str, Any]:
        """As it is written."""
        inputs = [
            {**described, **{name: getattr(one, name) for name in _COUNTED}}
            for described, one in zip(self.identity.inputs, self.counts(), strict=True)
        ]
        return {
            "format": FORMAT,
            "version": VERSION,
            "complete": self.complete,
            "rows": self.rows,
            "tagged": self.tagged,
            "rejected": self.rejected,
            "forgotten": self.forgotten,
            "inputs": inputs,
            "model": dict(self.identity.model),
            "catalog": self.identity.catalog,
            "configuration": dict(self.identity.configuration),
            "configuration_sha256": fingerprint(self.identity.configuration),
            "rejected_for": self.reasons(),
            "warnings": self.warnings(),
            "duplicate_ids": self.duplicate_ids,
            "rejects": {
                "file": REJECTS_NAME,
                "size": self.rejects_end,
                "sha256": self.rejects_sha256,
            },
            "erasures": [asdict(one) for one in self.erasures],
            "parts": [asdict(part) for part in self.parts],
        }

    def write(self, folder: Path) -> None:
        """Puts the manifest in place of the one before, atomically."""
        self.check()
        write_whole(folder / MANIFEST_NAME, sealed(self.to_dict()))


def sealed(told: Mapping[str, Any]) -> bytes:
    """A manifest's file, whose last line is the SHA-256 of all others."""
    whole = json.dumps(told, ensure_ascii=False, indent=2)
    digest = hashlib.sha256(whole.encode()).hexdigest()
    return (json.dumps({**told, "sha256": digest}, ensure_ascii=False, indent=2) + "\n").encode()


def is_sealed(written: bytes) -> bool:
    """Whether a manifest's file is byte for byte as it was written."""
    try:
        told = json.loads(written)
        told.pop("sha256", None)
        return sealed(told) == written
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False


_COUNTED = ("rows", "tagged", "rejected", "forgotten")


def _summed(counts: Any) -> dict[str, int]:  # noqa: ANN401 - any iterable of counts
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


def part_format(name: object) -> PartFormat:
    """The format of parts that has this name.

    Raises:
        ValueError: none has.
    """
    for known in PART_FORMATS:
        if name == known:
            return known
    raise ValueError(f"no parts are written as {name!r}; they are {', '.join(PART_FORMATS)}")


def fingerprint(configuration: Mapping[str, Any]) -> str:
    """SHA-256 of settings, whatever their order."""
    text = json.dumps(configuration, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(folder: Path, *, untouched: bool = False) -> Manifest | None:
    """The manifest of a run's folder; None where there is none.

    Args:
        folder: the run's.
        untouched: refuse one that was changed since it was written; for those who write it
            again, which would hide that.

    Raises:
        RunError: there is one, but it cannot be read as a manifest of this version.
    """
    path = folder / MANIFEST_NAME
    if not path.exists():
        return None
    try:
        written = path.read_bytes()
        data = json.loads(written.decode())
        if data["format"] != FORMAT or data["version"] != VERSION:
            raise RunError(f"{path}: a run of another version of murmure; {_ANEW}")
        check_shape(data)
        if untouched and not is_sealed(written):
            raise RunError(f"{path}: was changed since it was written; {_ANEW}")
        inputs = [
            {name: value for name, value in one.items() if name not in _COUNTED}
            for one in data["inputs"]
        ]
        parts = [
            Part(**{**part, "counts": tuple(Counts(**one) for one in part["counts"])})
            for part in data["parts"]
        ]
        identity = Identity(
            inputs=inputs,
            model=data["model"],
            catalog=data["catalog"],
            configuration=data["configuration"],
        )
        manifest = Manifest(
            identity=identity,
            parts=parts,
            complete=data["complete"],
            rejects_sha256=data["rejects"]["sha256"],
            duplicate_ids=data["duplicate_ids"],
            erasures=[Forgotten(**one) for one in data.get("erasures", ())],
        )
    except _UNREADABLE as error:
        raise RunError(f"{path}: not a manifest that can be read ({error}); {_ANEW}") from error
    if untouched:
        try:
            manifest.check()
        except RunError as error:
            raise RunError(f"{path}: {error}") from error
    return manifest


def read_erasures(folder: Path) -> list[Forgotten]:
    """Who was forgotten, as far as a manifest tells that cannot be read as a whole."""
    try:
        told = json.loads((folder / MANIFEST_NAME).read_bytes().decode())["erasures"]
        return [Forgotten(**one) for one in told if fault(one, ERASURE) is None]
    except _UNREADABLE:
        return []


def check_same(folder: Path, started: Identity, now: Identity) -> None:
    """Makes sure that a run in a folder is the one that is asked for now.

    Raises:
        RunError: it is not; the message says what differs.
    """
    differences = [*_inputs_differ(started.inputs, now.inputs)]
    if started.catalog != now.catalog:
        differences.append(f"catalogue ({_named(started.catalog)}, now {_named(now.catalog)})")
    elif started.model != now.model:
        before, after = _model(started.model), _model(now.model)
        differences.append(f"model ({before}, now {after})")
    settings = {**started.configuration, **now.configuration}
    for name in settings:
        was, is_now = started.configuration.get(name), now.configuration.get(name)
        if was != is_now:
            differences.append(f"{name} ({_given(was)}, now {_given(is_now)})")
    if differences:
        listed = "; ".join(differences)
        raise RunError(f"{folder}: holds a run with different settings: {listed}; {_ANEW}")


def _inputs_differ(
    started: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]
) -> list[str]:
    before, after = [one["source"] for one in started], [one["source"] for one in now]
    if before != after:
        gone = [name for name in before if name not in after]
        new = [name for name in after if name not in before]
        told = [f"without {', '.join(gone)}"] * bool(gone) + [f"with {', '.join(new)}"] * bool(new)
        return [f"inputs ({' and '.join(told) or 'in another order'})"]
    changed = [one["source"] for one, other in zip(started, now, strict=True) if one != other]
    return [f"inputs (changed: {', '.join(changed)})"] if changed else []


def _given(setting: object) -> str:
    return "not given" if setting is None else repr(setting)


def _named(catalog: Mapping[str, Any] | None) -> str:
    return "none" if catalog is None else f"{catalog['file']} {catalog['sha256'][:8]}"


def _model(model: Mapping[str, Any]) -> str:
    return f"{model['name']} {model['fingerprint'][:8]}"
