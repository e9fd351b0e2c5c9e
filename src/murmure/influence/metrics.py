"""What each metric of the counts is: defined once, for the SQL that computes it and for readers.

Terms used below, per entity, window and slice:

- An *echo* is a copy or near copy of an earlier post of the run, or a repost.
- A post is *sponsored* where the tag `sponsored` of the whole post says yes, *organic* otherwise.
- A *voice* is a distinct author of at least one post that is no echo. The same name on two
  channels is the same person. A post without author belongs to no voice.
- `n` is the number of posts that a row rests on: those that were looked at for it.
"""

from __future__ import annotations

from dataclasses import dataclass

ORGANIC, SPONSORED, ALL = "organic", "sponsored", "all"

#: Values of the column `promotion`.
PROMOTIONS = (ORGANIC, SPONSORED, ALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The definition of one metric.

    Attributes:
        name: value of the column `metric`.
        unit: what the numbers are counted in.
        formula: the definition in words.
        rests_on: which posts `n` counts, in words.
        source: where the definition comes from.
        raw: the definition in SQL over the columns of a slice (see `counting`); `{promotion}` is
            replaced by each of `promotions`. Empty where the metric comes from finished rows.
        n: the same for `n`.
        promotions: for which values of `promotion` the metric is given.
        split_by: columns by whose labels the metric is also given apart.
    """

    name: str
    unit: str
    formula: str
    rests_on: str
    source: str
    raw: str = ""
    n: str = ""
    promotions: tuple[str, ...] = PROMOTIONS
    split_by: tuple[str, ...] = ()


_HOUSE = "murmure"

METRICS = (
    Metric(
        name="posts",
        unit="posts",
        formula=(
            "posts that name the entity, echoes among them; a post that names it twice is one; "
            "languages are taken as tagged, and their errors are in no interval"
        ),
        rests_on="all posts of the slice",
        source=_HOUSE,
        raw="posts_{promotion}",
        n="posts_{promotion}",
        split_by=("sentiment",),
    ),
    Metric(
        name="voices",
        unit="people",
        formula="distinct authors of at least one post that is no echo",
        rests_on="posts with an author that are no echoes",
        source=_HOUSE,
        raw="voices_{promotion}",
        n="known_{promotion}",
    ),
    Metric(
        name="unknown_authors",
        unit="posts",
        formula="posts without author, echoes among them; they are no voices",
        rests_on="all posts of the slice",
        source=_HOUSE,
        raw="unknown_{promotion}",
        n="posts_{promotion}",
    ),
    Metric(
        name="echoes",
        unit="posts",
        formula=(
            "reposts; posts of five words or more whose normalised 5-word shingles have a Jaccard "
            "similarity of 0.8 or more with those of an earlier post of the run; posts of four "
            "words that an earlier one has word for word"
        ),
        rests_on="all posts of the slice",
        source="Broder (1997), On the resemblance and containment of documents",
        raw="echoes_{promotion}",
        n="posts_{promotion}",
    ),
    Metric(
        name="influence",
        unit="people per 100 organic voices, from -100 to 100",
        formula=(
            "100 x (voices in favour - voices against) / organic voices; a voice is in favour "
            "where its positive organic posts outnumber its negative ones, echoes left out, and "
            "against where they are outnumbered; opinions without experience count"
        ),
        rests_on="organic posts with an author that are no echoes",
        source="balance of answers, European Commission (2023), business and consumer surveys",
        raw="100.0 * (in_favour - against) / nullif(voices_organic, 0)",
        n="known_organic",
        promotions=(ORGANIC,),
    ),
    Metric(
        name="good",
        unit="posts",
        formula="posts that are no echoes, experience own or shared, sentiment positive",
        rests_on="posts of the slice that are no echoes",
        source=_HOUSE,
        raw="good_{promotion}",
        n="originals_{promotion}",
        split_by=("experience", "touchpoint"),
    ),
    Metric(
        name="bad",
        unit="posts",
        formula="posts that are no echoes, experience own or shared, sentiment negative",
        rests_on="posts of the slice that are no echoes",
        source=_HOUSE,
        raw="bad_{promotion}",
        n="originals_{promotion}",
        split_by=("experience", "touchpoint"),
    ),
    Metric(
        name="advocates",
        unit="people",
        formula=(
            "organic voices whose good own experiences outnumber their bad own ones, "
            "echoes left out"
        ),
        rests_on="organic posts with an author that are no echoes",
        source=_HOUSE,
        raw="advocates",
        n="known_organic",
        promotions=(ORGANIC,),
    ),
    Metric(
        name="detractors",
        unit="people",
        formula=(
            "organic voices whose bad own experiences outnumber their good own ones, "
            "echoes left out"
        ),
        rests_on="organic posts with an author that are no echoes",
        source=_HOUSE,
        raw="detractors",
        n="known_organic",
        promotions=(ORGANIC,),
    ),
    Metric(
        name="concentration",
        unit="people",
        formula=(
            "effective number of voices: 1 / sum of the squares of each voice's share of the posts "
            "that are no echoes; between 1 and the number of voices"
        ),
        rests_on="posts with an author that are no echoes",
        source="inverse Simpson index: Simpson (1949), Measurement of diversity; Hill (1973)",
        raw="(known_{promotion}::DOUBLE ** 2) / nullif(squares_{promotion}, 0)",
        n="known_{promotion}",
    ),
    Metric(
        name="share",
        unit="fraction of people, from 0 to 1",
        formula=(
            "organic voices of the entity / distinct organic voices of all entities of its group; "
            "entities without a group are one group; who speaks of two entities counts for both, "
            "so that shares may sum to more than 1; not given for the entity 'all'"
        ),
        rests_on="organic posts on the entity with an author that are no echoes",
        source="share of voice, counted in people",
        raw="voices_organic::DOUBLE / nullif(group_voices, 0)",
        n="known_organic",
        promotions=(ORGANIC,),
    ),
)

#: Metrics that come from finished rows of the table, in `alerts`; once for each entity and window.
DERIVED = (
    Metric(
        name="velocity",
        unit="times the mean of the earlier windows",
        formula=(
            "organic bad experiences of the window / their mean over the 8 windows before, those "
            "without posts among them; not known with fewer than 4 before, or where they have none"
        ),
        rests_on="no posts but the earlier windows compared with, 8 at most",
        source="interval: Donner and Zou (2012), method of variance estimates recovery",
        promotions=(ORGANIC,),
    ),
    Metric(
        name="alert",
        unit="1 where there is one, 0 where there is none",
        formula=(
            "organic bad experiences of the window, or of it and the one before together, beyond "
            "what the 52 windows before make plausible: their posterior predictive chance is so "
            "small that an entity without any change has an alert in at most 5 % of years; 3 bad "
            "experiences at least; not known with fewer than 8 windows before"
        ),
        rests_on="no posts but the earlier windows compared with, 52 at most",
        source=(
            "Farrington et al. (1996) and Noufaily et al. (2013), outbreak detection in "
            "surveillance systems, with a negative binomial predictive distribution"
        ),
        promotions=(ORGANIC,),
    ),
)


def explain() -> str:
    """All metrics with their formula, unit and source, as text for a terminal.

    Example:
        >>> print(explain().splitlines()[0])
        posts
    """
    blocks = []
    for metric in METRICS + DERIVED:
        lines = [
            metric.name,
            f"  is      {metric.formula}",
            f"  unit    {metric.unit}",
            f"  n       {metric.rests_on}",
            f"  for     promotion {', '.join(metric.promotions)}",
        ]
        if metric.split_by:
            lines.append(f"  apart   by {', '.join(metric.split_by)}")
        blocks.append("\n".join([*lines, f"  source  {metric.source}"]))
    return "\n\n".join(blocks) + "\n"
