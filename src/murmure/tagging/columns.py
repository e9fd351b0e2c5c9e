"""What a model says of many posts at once: arrays in, records or Arrow columns out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from murmure.schema import LABELS, TAGS, Mention, Tag, Tags

if TYPE_CHECKING:
    import pyarrow as pa

Probabilities = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MentionPlace:
    """A mention, and the row of the columns that holds the tags of its sentence."""

    entity: str
    surface: str
    start: int
    end: int
    row: int


def most_probable(probabilities: Mapping[str, Probabilities]) -> dict[str, NDArray[np.intp]]:
    """Choose the label of each tag.

    The label is the most probable one, but that experience and touchpoint are both `none` or
    neither is: there the touchpoint decides. Asking first whether an experience is reported at all,
    at one half, finds more of them and is right less often.

    Args:
        probabilities: per tag an array (n, labels).

    Returns:
        Per tag an array (n,) of positions in `LABELS`.
    """
    chosen = {tag: np.argmax(table, axis=1) for tag, table in probabilities.items()}
    none = LABELS["experience"].index("none")
    reported = np.delete(probabilities["experience"], none, axis=1)
    nothing = chosen["touchpoint"] == LABELS["touchpoint"].index("none")
    chosen["experience"] = np.where(nothing, none, np.argmax(reported, axis=1))
    return chosen


@dataclass(frozen=True, slots=True)
class TagColumns:
    """The tags of n posts as arrays.

    Rows beyond the first `posts` belong to sentences that carry a mention.

    Attributes:
        posts: n, how many posts there are.
        probabilities: per tag an array (rows, labels), float32, columns in the order of `LABELS`.
        thresholds: per tag the score below which the model abstains.
        disclosures: per post the words that disclose a commercial interest, or None.
        truncated: per post whether it is longer than the model reads.
        mentions: per post, in reading order.
    """

    posts: int
    probabilities: Mapping[str, Probabilities]
    thresholds: Mapping[str, float]
    disclosures: Sequence[str | None]
    truncated: NDArray[np.bool_]
    mentions: Sequence[Sequence[MentionPlace]] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of posts."""
        return self.posts

    def tags(self) -> list[Tags]:
        """Give one record a post, in order."""
        labels = most_probable(self.probabilities)
        rows = len(self.probabilities[TAGS[0]])
        tags = {tag: self._tags_of(tag, labels[tag]) for tag in TAGS}
        by_row = [{tag: tags[tag][row] for tag in TAGS} for row in range(rows)]
        return [
            Tags(
                **by_row[post],
                disclosure=self.disclosures[post],
                truncated=bool(self.truncated[post]),
                mentions=tuple(
                    Mention(m.entity, m.surface, m.start, m.end, **by_row[m.row])
                    for m in (self.mentions[post] if self.mentions else ())
                ),
            )
            for post in range(self.posts)
        ]

    def _tags_of(self, tag: str, chosen: NDArray[np.intp]) -> list[Tag]:
        names, threshold = LABELS[tag], self.thresholds[tag]
        return [
            Tag(names[label], row[label], tuple(row), row[label] < threshold)
            for label, row in zip(chosen.tolist(), self.probabilities[tag].tolist(), strict=True)
        ]

    def to_arrow(self) -> list[pa.Array]:
        """Give the columns of `murmure.schema.result_fields`, in order, a row a post."""
        import pyarrow as pa

        columns: list[pa.Array] = []
        by_tag = self._arrow_by_tag()
        for tag in TAGS:
            of_posts = [column.slice(0, self.posts) for column in by_tag[tag]]
            score = of_posts[1].to_numpy()
            columns += [*of_posts, pa.array(score < self.thresholds[tag])]
        columns.append(pa.array(self.disclosures, pa.string()))
        columns.append(pa.array(self.truncated))
        return [*columns, self._mentions_to_arrow(by_tag)]

    def mentions_to_arrow(self) -> pa.Array:
        """Give the mentions alone: a list of `murmure.schema.mention_type` a post."""
        return self._mentions_to_arrow(self._arrow_by_tag())

    def _arrow_by_tag(self) -> dict[str, list[pa.Array]]:
        """Labels, scores and probabilities of all rows, by tag."""
        import pyarrow as pa

        labels = most_probable(self.probabilities)
        by_tag: dict[str, list[pa.Array]] = {}
        for tag in TAGS:
            table = self.probabilities[tag]
            score = np.take_along_axis(table, labels[tag][:, None], axis=1)[:, 0]
            label = pa.array(LABELS[tag]).take(pa.array(labels[tag]))
            flat = pa.array(np.ascontiguousarray(table).reshape(-1))
            spread = pa.FixedSizeListArray.from_arrays(flat, table.shape[1])
            by_tag[tag] = [label, pa.array(score), spread]
        return by_tag

    def _mentions_to_arrow(self, by_tag: Mapping[str, Sequence[pa.Array]]) -> pa.Array:
        import pyarrow as pa

        from murmure.schema import mention_type

        mention = mention_type()
        lists = self.mentions or [()] * self.posts
        places = [place for of_post in lists for place in of_post]
        offsets = np.zeros(self.posts + 1, np.int32)
        np.cumsum([len(of_post) for of_post in lists], out=offsets[1:])
        rows = pa.array([place.row for place in places], pa.int64())
        columns = [
            pa.array([place.entity for place in places], pa.string()),
            pa.array([place.surface for place in places], pa.string()),
            pa.array([place.start for place in places], pa.int32()),
            pa.array([place.end for place in places], pa.int32()),
        ]
        columns += [column.take(rows) for tag in TAGS for column in by_tag[tag]]
        fields = [mention.field(index) for index in range(mention.num_fields)]
        structs = pa.StructArray.from_arrays(columns, fields=fields)
        return pa.ListArray.from_arrays(pa.array(offsets), structs)
