"""The model card, written from the manifest alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_LIMITS = """\
The model counts words and pieces of words. It misses irony, negation at a distance, who lived an
experience, and promotion that reads like praise. It reads French and English; posts in other
languages are told apart, and their other tags mean nothing. Its labels were learnt from labels
that a large language model gave by the project's guidelines. Do not use it to decide about single
persons: a label of one post is a weak gesture."""


def render(manifest: Mapping[str, Any]) -> str:
    """Write the card of a model in Markdown."""
    metrics = manifest["metrics"]
    sections = [
        f"# murmure model: {manifest['name']}",
        "Written by `murmure train`; every figure is in `manifest.json`.",
        "## What it does",
        "One linear model a tag over hashed word and character n-grams, calibrated per tag and "
        "language. Five tags: language, sentiment, experience, touchpoint, sponsored; what the "
        "labels mean is told in `data/README.md`.",
        "## How right it is",
        _cross_fitted(metrics),
        _labels(metrics["cross_fitted"]),
        "## Language",
        _language(metrics["language"]),
        "## Sponsorship",
        _sponsored(metrics["sponsored"]),
        "## What it was trained on",
        _training(manifest["training"]),
        "## What it cannot do",
        _LIMITS,
        "## Licence",
        "The weights are MIT. The corpora keep their own licences, which their sources often do "
        "not state; no text of theirs is in this folder.",
    ]
    return "\n\n".join(sections) + "\n"


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = list(header)
    lines = [head, ["---"] * len(head), *[[str(cell) for cell in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _between(bounds: Iterable[float]) -> str:
    return "–".join(f"{bound:.3f}" for bound in bounds)


def _cross_fitted(metrics: Mapping[str, Any]) -> str:
    rows = []
    for tag, scores in metrics["cross_fitted"].items():
        drawn = metrics["cross_fitted_source"][tag]
        kept = metrics.get("validation", {}).get(tag, {})
        rows.append(
            [
                tag,
                f"{_score(scores['macro_f1'])} ({_between(scores['interval'])})",
                f"{_score(drawn['macro_f1'])} ({_between(drawn['interval'])})",
                _score(drawn["calibration_error"]),
                _score(kept.get("macro_f1")),
            ]
        )
    some = next(iter(metrics["cross_fitted"].values()))
    drawn = next(iter(metrics["cross_fitted_source"].values()))
    return (
        _table(
            [
                "tag",
                f"macro-F1, {some['posts']:,} posts",
                f"macro-F1, {drawn['posts']:,} drawn at random",
                "calibration error",
                "macro-F1 of the shipped weights on validation",
            ],
            rows,
        )
        + "\n\nFive-fold cross-fitting over the corpus `annotated`: a fold's posts, and copies of "
        "them in other corpora, are dropped from everything trained on, calibration included. "
        "In brackets the 95 % bootstrap interval. Expected calibration error over 15 bins of equal "
        "mass, out of fold, on the posts drawn at random within their source. The shipped weights "
        "never saw the validation posts, but their calibration did."
    )


def _labels(cross_fitted: Mapping[str, Any]) -> str:
    rows = [
        [
            tag,
            label,
            _score(score["precision"]),
            _score(score["recall"]),
            _score(score["f1"]),
            f"{score['posts']:,}",
        ]
        for tag, scores in cross_fitted.items()
        for label, score in scores["labels"].items()
    ]
    return _table(["tag", "label", "precision", "recall", "F1", "posts"], rows)


def _language(language: Mapping[str, Any]) -> str:
    names = {
        "held_out_tenth": "held-out tenth of the corpus `language`",
        "held_out_tenth_with_posts": "the same with as many French and English posts",
        "snippets": "pieces of 3 to 19 characters of held-out posts",
    }
    models = [name for name in language["snippets"] if name != "texts"]
    rows = [
        [
            title,
            f"{language[key]['texts']:,}",
            *[
                f"{_score(language[key][model]['macro_f1'])} "
                f"({_between(language[key][model]['interval'])})"
                for model in models
            ],
        ]
        for key, title in names.items()
    ]
    text = _table(["macro-F1 on fr, en, other", "texts", *models], rows)
    mixed = language["mixed"]
    if mixed:
        text += (
            f"\n\n`mixed`: F1 {_score(mixed['f1'])} on {mixed['posts']} posts written for it, of "
            f"which {mixed['mixed']} are mixed and the others hard."
        )
    return text


def _sponsored(sponsored: Mapping[str, Any]) -> str:
    silent, praise = sponsored["without_disclosure"], sponsored["organic_praise"]
    by_origin = sponsored["without_disclosure_by_origin"]
    rows = [
        [origin, _score(score["f1"]), f"{score['yes']:,}", f"{score['posts']:,}"]
        for origin, score in sorted(by_origin.items(), key=lambda item: -item[1]["yes"])
    ]
    return (
        f"Disclosures are found by rules, right in {_score(sponsored['disclosed']['precision'])} "
        f"of {sponsored['disclosed']['posts']} posts. Where they found nothing, the model reads "
        f"the text: F1 of `yes` {_score(silent['f1'])} on {silent['yes']:,} of "
        f"{silent['posts']:,} posts. Customers who praise with no sign of an interest are called "
        f"sponsored in {_score(praise['called_sponsored'])} of {praise['posts']:,} cases.\n\n"
        + _table(["origin (nothing found)", "F1 of yes", "yes", "posts"], rows)
    )


def _training(training: Mapping[str, Any]) -> str:
    corpora = sorted({name for posts in training["posts"].values() for name in posts})
    tags = list(training["posts"])
    rows = [
        [name, *[f"{training['posts'][tag].get(name, 0):,}" for tag in tags]] for name in corpora
    ]
    language = training["language"]
    return (
        _table(["corpus", *tags], rows)
        + f"\n\nLanguage: {language['texts']:,} texts and pieces of texts from "
        f"{', '.join(language['corpora'])}; mixed posts were made from a French and an English "
        f"clause. Left out for their licences: {', '.join(training['left_out'])}."
    )
