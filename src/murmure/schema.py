"""Tags, labels, records and columns: the one place that knows their names.

The five tags of a post and what their labels mean are told in `docs/labels.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

#: The five tags, in the order of every table.
TAGS = ("language", "sentiment", "experience", "touchpoint", "sponsored")

#: The labels of each tag; probabilities are always in this order.
LABELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "language": ("fr", "en", "mixed", "other"),
        "sentiment": ("negative", "neutral", "positive"),
        "experience": ("own", "shared", "none"),
        "touchpoint": ("product", "service", "purchase", "delivery", "other", "none"),
        "sponsored": ("yes", "no"),
    }
)

#: The columns of a post that murmure reads; all but `text` may be missing.
POST_COLUMNS = ("id", "text", "author", "created_at", "channel", "repost_of", "in_reply_to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One post as it came in.

    Attributes:
        text: what was written; the only field that the tags depend on.
        id: the platform's own name for the post, if known.
        author: who wrote it, if known.
        created_at: when, with a time zone, if known.
        channel: where, such as `x`, `reviews` or `press`.
        repost_of: the id of the post that this one repeats.
        in_reply_to: the id of the post that this one answers.
    """

    text: str
    id: str | None = None
    author: str | None = None
    created_at: datetime | None = None
    channel: str | None = None
    repost_of: str | None = None
    in_reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """What a model says of one tag of one post.

    Attributes:
        label: the most probable label; of experience the one that goes with the touchpoint.
        score: its calibrated probability, between 0 and 1.
        probabilities: of all labels, in the order of `LABELS`; they sum to 1.
        abstained: whether the score is below the model's threshold for this tag.
            The label stands all the same, and no count leaves the post out.
    """

    label: str
    score: float
    probabilities: tuple[float, ...]
    abstained: bool = False


@dataclass(frozen=True, slots=True)
class Mention:
    """One place where a post names an entity of the catalogue, and how it speaks of it there.

    Attributes:
        entity: the brand's name in the catalogue.
        surface: the words as they stand in the post.
        start: where they begin, in characters of the raw text.
        end: where they end (exclusive).
        language: tag of the sentence that carries the mention; of the whole post where that is
            all there is. So for the other four.
    """

    entity: str
    surface: str
    start: int
    end: int
    language: Tag
    sentiment: Tag
    experience: Tag
    touchpoint: Tag
    sponsored: Tag


@dataclass(frozen=True, slots=True)
class Tags:
    """All that murmure says of one post.

    Attributes:
        disclosure: the words that disclose a commercial interest, joined by `DISCLOSURE_JOINER`;
            None where there are none.
        truncated: whether the post is longer than the model reads.
        mentions: the catalogue's entities that the post names; empty without a catalogue.
    """

    language: Tag
    sentiment: Tag
    experience: Tag
    touchpoint: Tag
    sponsored: Tag
    disclosure: str | None = None
    truncated: bool = False
    mentions: tuple[Mention, ...] = ()


#: Between two disclosures of one post in the column `disclosure`.
DISCLOSURE_JOINER = " | "


def tag_fields() -> list[pa.Field]:
    """The Arrow fields that the five tags add, four a tag."""
    import pyarrow as pa

    fields = []
    for tag in TAGS:
        fields += [
            pa.field(tag, pa.string(), nullable=False),
            pa.field(f"{tag}_score", pa.float32(), nullable=False),
            pa.field(
                f"{tag}_probabilities", pa.list_(pa.float32(), len(LABELS[tag])), nullable=False
            ),
            pa.field(f"{tag}_abstained", pa.bool_(), nullable=False),
        ]
    return fields


def mention_type() -> pa.StructType:
    """The Arrow type of one mention: where it stands, and the tags of its sentence."""
    import pyarrow as pa

    place = [
        pa.field("entity", pa.string(), nullable=False),
        pa.field("surface", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
    ]
    tags = [field for field in tag_fields() if not field.name.endswith("_abstained")]
    return pa.struct(place + tags)


def result_fields() -> list[pa.Field]:
    """The Arrow fields that tagging adds to a row, in order.

    Example:
        >>> [field.name for field in result_fields()][-3:]
        ['disclosure', 'truncated', 'mentions']
    """
    import pyarrow as pa

    return [
        *tag_fields(),
        pa.field("disclosure", pa.string()),
        pa.field("truncated", pa.bool_(), nullable=False),
        pa.field("mentions", pa.list_(mention_type()), nullable=False),
    ]


def post_fields() -> list[pa.Field]:
    """The Arrow fields of a post in a run's folder, in order; times are UTC microseconds."""
    import pyarrow as pa

    types = {"created_at": pa.timestamp("us", tz="UTC")}
    required = {"id", "text"}
    return [
        pa.field(name, types.get(name, pa.string()), nullable=name not in required)
        for name in POST_COLUMNS
    ]
