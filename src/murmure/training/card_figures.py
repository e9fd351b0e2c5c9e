"""The sections of a model card that say where a model is right, and where it is not.

Each is written from a manifest's `metrics` alone; a figure that was not measured has no section.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from murmure.training.tables import between, difference, score, table

Metrics = Mapping[str, Any]

_MEANT = "## Whether its scores mean what they say"


def sections(metrics: Metrics) -> Iterator[str]:
    """Give headings and paragraphs, in the order of the card."""
    confusions = {tag: one for tag, one in told(metrics).items() if one.get("confusion")}
    if confusions:
        yield "## What it takes for what"
        yield "Rows are the true labels, columns what the model says; figures are posts."
    for tag, scores in confusions.items():
        yield f"### {tag.capitalize()}"
        yield _confusion(scores)
    for needed, heading, write in (
        (("protocol",), "## How it was measured", _protocol),
        (("external",), "## On other corpora", _external),
        (("compared",), "## Beside other models", _compared),
        (("languages",), "## French and English", _languages),
        (("origins", "held_out"), "## Where the posts come from", _origins),
        (("reliability", "held_out_source"), _MEANT, _reliability),
        (("abstention",), "## When it abstains", _abstention),
        (("export",), "## What exporting changed", _export),
    ):
        if all(metrics.get(key) for key in needed):
            yield heading
            yield write(metrics)


def told(metrics: Metrics) -> Metrics:
    """Give per tag the scores that the card tells first: out of fold, or else on validation posts.

    Example:
        >>> told({"validation": {"sentiment": {"posts": 40}}})
        {'sentiment': {'posts': 40}}
    """
    found: Metrics = metrics.get("held_out") or metrics.get("validation") or {}
    return found


def _confusion(scores: Mapping[str, Any]) -> str:
    labels = list(scores["labels"])
    rows = [
        [label, *[f"{count:,}" for count in counts]]
        for label, counts in zip(labels, scores["confusion"], strict=True)
    ]
    return table(["true", *[f"said {label}" for label in labels]], rows)


def _protocol(metrics: Metrics) -> str:
    text = "\n\n".join(metrics["protocol"].values())
    compared = metrics.get("validation_compared")
    if not compared:
        return text
    return (
        f"{text}\n\nThe shipped weights beside those of the folds, on the validation posts, which "
        "none of them was trained on:\n\n"
        + table(
            ["tag", "shipped", "folds", "difference (95 % interval, paired bootstrap)"],
            [
                [tag, score(one["macro_f1"]), score(one["other"]), _differs(one)]
                for tag, one in compared.items()
            ],
        )
    )


def _differs(compared: Mapping[str, Any]) -> str:
    return difference(compared["difference"], compared["interval"])


def _external(metrics: Metrics) -> str:
    external = metrics["external"]
    rivals = list(
        dict.fromkeys(
            name
            for tags in external.values()
            for scores in tags.values()
            for name in scores.get("compared", {})
        )
    )
    rows = [
        [
            corpus,
            tag,
            f"{scores['posts']:,}",
            f"{score(scores['macro_f1'])} ({between(scores['interval'])})",
            f"{score(scores['macro_recall'])} ({between(scores['macro_recall_interval'])})",
            score(scores["calibration_error"]),
            *[_differs(scores["compared"][name]) for name in rivals],
        ]
        for corpus, tags in external.items()
        for tag, scores in tags.items()
    ]
    header = ["corpus", "tag", "posts", "macro-F1", "macro-recall", "calibration error"]
    return (
        table([*header, *[f"macro-F1, difference to {name}" for name in rivals]], rows)
        + "\n\nThe shipped weights on validation posts of corpora with labels of their own; in "
        "brackets 95 % bootstrap intervals. Macro-recall is what TweetEval ranks by."
    )


def _compared(metrics: Metrics) -> str:
    rows = [
        [
            name,
            tag,
            f"{one['posts']:,}",
            score(one["macro_f1"]),
            score(one["other"]),
            _differs(one),
        ]
        for name, tags in metrics["compared"].items()
        for tag, one in tags.items()
    ]
    return (
        table(["other model", "tag", "posts", "macro-F1", "other", "difference"], rows)
        + "\n\nBoth out of fold, on the same posts of the corpus `annotated`; in brackets the 95 % "
        "interval of the difference by paired bootstrap."
    )


def _languages(metrics: Metrics) -> str:
    languages = metrics["languages"]
    labels: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for language, tags in languages.items():
        for tag, scores in tags.items():
            for label, found in scores["labels"].items():
                if tag != "language" and found["posts"]:
                    labels.setdefault((tag, label), {})[language] = found
    rows = [
        [
            tag,
            label,
            *[
                cell
                for language in languages
                for cell in (
                    score(by[language]["f1"]) if language in by else "–",
                    f"{by[language]['posts']:,}" if language in by else "0",
                )
            ],
        ]
        for (tag, label), by in labels.items()
    ]
    titles = {"fr": "French", "en": "English"}
    header = [
        cell for language in languages for cell in (f"F1, {titles[language]}", "posts")
    ]  # fmt: skip
    return table(["tag", "label", *header], rows) + _gap(metrics)


def _gap(metrics: Metrics) -> str:
    gaps = {"all": metrics.get("gap", {}), "drawn at random": metrics.get("gap_source", {})}
    rows = [
        [
            tag,
            posts,
            ", ".join(found["labels"]),
            score(found["fr"]),
            score(found["en"]),
            difference(found["difference"], found["interval"]),
        ]
        for posts, tags in gaps.items()
        for tag, found in tags.items()
    ]
    if not rows:
        return ""
    header = ["tag", "posts", "labels", "French", "English", "French less English"]
    return (
        "\n\nMacro-F1 over the labels that 50 posts or more have in each language, with the 95 % "
        "bootstrap interval of the difference:\n\n" + table(header, rows)
    )


def _origins(metrics: Metrics) -> str:
    origins = metrics["origins"]
    tags = list(metrics["held_out"])
    rows = [
        [
            origin,
            f"{max(one['posts'] for one in scores.values()):,}",
            *[score(scores[tag]["macro_f1"]) if tag in scores else "–" for tag in tags],
        ]
        for origin, scores in origins.items()
    ]
    text = table(["macro-F1 by origin", "posts", *tags], rows) + (
        "\n\nOrigins with 50 posts or more; a label counts where 10 posts or more have it, and "
        "with fewer than two such labels there is no figure."
    )
    worst = metrics.get("worst")
    if worst:
        named = "; ".join(
            f"{tag}: {one['by']} `{one['slice']}`, {score(one['macro_f1'])} "
            f"({between(one['interval'])}, {one['posts']:,} posts)"
            for tag, one in worst.items()
        )
        text += f" The worst slice of each tag: {named}."
    return text


def _reliability(metrics: Metrics) -> str:
    languages = metrics.get("languages_source", {})
    titles = {"fr": "French", "en": "English"}
    rows = [
        [
            tag,
            f"{scores['posts']:,}",
            score(scores["calibration_error"]),
            *[score(languages[name][tag]["calibration_error"]) for name in languages],
            score(scores["brier"]),
            score(scores["log_loss"]),
        ]
        for tag, scores in metrics["held_out_source"].items()
    ]
    header = ["tag", "posts", "calibration error", *[titles[name] for name in languages]]
    text = table([*header, "Brier score", "log loss"], rows) + (
        "\n\nMeasured as at the top, on the posts drawn at random within their source. Calibration "
        "error is over 15 bins of equal mass; log loss is in nats."
    )
    plot = metrics.get("reliability_plot")
    if plot:
        text += f"\n\n![How often posts of a score are right, by tag]({plot})"
    return text


def _abstention(metrics: Metrics) -> str:
    rows = [
        [
            tag,
            score(one["threshold"]),
            score(one["abstained"]),
            score(one["right_kept"]),
            score(one["right_abstained"]),
        ]
        for tag, one in metrics["abstention"].items()
    ]
    return (
        table(["tag", "threshold", "abstains", "right if not", "right if so"], rows)
        + "\n\nBelow its threshold a score is marked `abstained`: there the label is wrong more "
        "often than right. Shares of the posts drawn at random within their source, measured as at "
        "the top; the thresholds were chosen on these posts too."
    )


def _export(metrics: Metrics) -> str:
    export = metrics["export"]
    rows = [
        [tag, score(one["torch"]), score(one["exported"]), score(one["equal"])]
        for tag, one in export["tags"].items()
    ]
    text = table(["tag", "macro-F1 before", "macro-F1 after", "labels equal"], rows) + (
        f"\n\nThe trained weights beside the exported ones, on {export['posts']:,} posts."
    )
    if export.get("neighbours") is not None:
        text += (
            " What stands beside a post in its batch changes its probabilities by at most "
            f"{export['neighbours']:.3f}."
        )
    return text
