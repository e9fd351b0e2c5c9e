"""The model card, written from the manifest alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from murmure.schema import TAGS
from murmure.training import card_figures
from murmure.training.tables import between, score, table

_WHAT = (
    "One linear model a tag over hashed word and character n-grams, calibrated per tag and "
    "language. Five tags: language, sentiment, experience, touchpoint, sponsored; what the "
    "labels mean is told in `docs/labels.md`."
)
_LIMITS = {
    "linear": """\
The model counts words and pieces of words. It misses irony, negation at a distance, who lived an
experience, and promotion that reads like praise. It reads French and English; posts in other
languages are told apart, and their other tags mean nothing. Its labels were learnt from labels
that a large language model gave by the project's guidelines. Do not use it to decide about single
persons: a label of one post is a weak gesture.""",
    "encoder": """\
The model reads a post alone, without its thread, its pictures or what its author wrote before. It
still takes some irony at its word, and tells what a friend lived from what the author lived less
surely than the other labels; promotion that reads like praise and discloses nothing can pass for
praise. It reads French and English; posts in other languages are told apart, and their other tags
mean nothing. Its labels were learnt from labels that a large language model gave by the project's
guidelines, so its mistakes are in part that model's, and the figures above measure agreement with
it. Do not use it to decide about single persons: a label of one post is a weak gesture.""",
}


_OF_FOLDS = (
    "Cross-fitting in {folds} folds over the corpus `annotated`: a fold's posts, and copies of "
    "them in other corpora, are dropped from everything trained on, calibration included. In "
    "brackets the 95 % bootstrap interval. Expected calibration error over 15 bins of equal mass, "
    "out of fold, on the posts drawn at random within their source. The shipped weights were never "
    "trained on the validation posts, but their calibration was."
)
_OF_A_STUDENT = (
    "The shipped weights on the validation posts of the corpus `annotated`, which neither they nor "
    "their teacher were trained on; the calibration was fitted on these posts among others. "
    "Figures of folds would flatter a model that was taught: its teacher read the labels of all "
    "other posts. In brackets the 95 % bootstrap interval. Expected calibration error over 15 bins "
    "of equal mass, on the posts drawn at random within their source."
)


def render(manifest: Mapping[str, Any]) -> str:
    """Write the card of a model in Markdown.

    Args:
        manifest: of a linear model or an encoder; what it lacks, as one written by an earlier
            version may, has no section.
    """
    metrics, kind = manifest["metrics"], manifest["kind"]
    sections = [
        f"# murmure model: {manifest['name']}",
        "Written by `murmure train`; every figure is in `manifest.json`.",
        "## What it does",
        _WHAT if kind == "linear" else _architecture(manifest),
        "## How right it is",
    ]
    training = manifest.get("training", {})
    if "held_out" in metrics:
        sections.append(_figures(metrics))
        sections += _protocol(training)
    else:
        sections.append(_before_and_after(metrics))
    measured = card_figures.told(metrics)
    if measured:
        sections.append(_labels(measured))
    sections += card_figures.sections(metrics)
    if metrics.get("language"):
        sections += ["## Language", _language(metrics["language"])]
    if metrics.get("sponsored"):
        sections += ["## Sponsorship", _sponsored(metrics["sponsored"])]
    if training.get("posts"):
        sections += ["## What it was trained on", _training(training)]
    sections += [
        "## What it cannot do",
        _LIMITS[kind],
        "## Licence",
        "The weights are MIT. The corpora keep their own licences, which their sources often do "
        "not state; no text of theirs is in this folder.",
    ]
    licences = training.get("licences")
    if licences:
        sections.append(
            table(
                ["corpus", "licence as stated", "source", "note"],
                [
                    [one["corpus"], one["licence"], one["source"], one.get("note", "")]
                    for one in licences
                ],
            )
        )
    return "\n\n".join(sections) + "\n"


def _architecture(manifest: Mapping[str, Any]) -> str:
    made = manifest.get("architecture", {})
    heads = manifest.get("settings", {}).get("tags", TAGS)
    text = (
        "One encoder reads the post, and each of these tags has a head that says what it found: "
        f"{', '.join(heads)}. What the labels mean is told in `docs/labels.md`."
    )
    companion = made.get("companion")
    if companion:
        text += (
            f" Beside it the linear model `{companion['name']}` counts the words: the language "
            "tag is its own, and to the others it adds its logits."
        )
    text += " Scores are calibrated per tag and language."
    written = [
        (["encoder"], "encoder", "{encoder}"),
        (["source"], "from", "{source}"),
        (["layers", "hidden"], "layers", "{layers}, of {hidden:,} units"),
        (["parameters"], "parameters", "{parameters:,}"),
        (["vocabulary"], "vocabulary", "{vocabulary:,} pieces"),
        (["longest"], "reads at once", "{longest:,} tokens"),
        (["weights"], "weights", "{weights}"),
        (["windows"], "longer posts", "{windows}"),
    ]
    rows = [
        [part, what.format_map(made)]
        for needed, part, what in written
        if all(map(made.get, needed))
    ]
    if rows:
        text += "\n\n" + table(["part", "what it is"], rows)
    mixture = (companion or {}).get("mixture")
    if mixture:
        text += (
            "\n\nHow much each model's logits weigh, fitted out of fold before calibration:\n\n"
            + table(
                ["tag", "encoder", "linear model"],
                [[tag, score(first), score(second)] for tag, (first, second) in mixture.items()],
            )
        )
    return text


def _figures(metrics: Mapping[str, Any]) -> str:
    measured, drawn = metrics["held_out"], metrics.get("held_out_source")
    kept = metrics.get("validation")
    columns = {f"macro-F1, {_most(measured):,} posts": [_bounded(one) for one in measured.values()]}
    if drawn:
        of_tag = [drawn.get(tag, {}) for tag in measured]
        columns[f"macro-F1, {_most(drawn):,} drawn at random"] = [_bounded(one) for one in of_tag]
        columns["calibration error"] = [score(one.get("calibration_error")) for one in of_tag]
    if kept:
        columns["macro-F1 of the shipped weights on validation"] = [
            score(kept.get(tag, {}).get("macro_f1")) for tag in measured
        ]
    return table(["tag", *columns], zip(measured, *columns.values(), strict=True))


def _most(measured: Mapping[str, Any]) -> int:
    return max(int(scores["posts"]) for scores in measured.values())


def _bounded(scores: Mapping[str, Any]) -> str:
    if not scores:
        return score(None)
    return f"{score(scores['macro_f1'])} ({between(scores['interval'])})"


def _protocol(training: Mapping[str, Any]) -> Iterator[str]:
    folds = training.get("configuration", {}).get("corpora", {}).get("folds")
    if training.get("taught", {}).get("read_target"):
        yield _OF_A_STUDENT
    elif folds:
        yield _OF_FOLDS.format(folds=folds)


def _before_and_after(metrics: Mapping[str, Any]) -> str:
    """Tell how a model that was trained further reads posts that it was not trained on."""
    compared = metrics.get("validation_compared")
    if not compared:
        return "Not measured: no posts were held back."
    rows = [
        [tag, one["posts"], score(one["macro_f1"]), score(one["other"]), between(one["interval"])]
        for tag, one in compared.items()
    ]
    header = ["tag", "posts held back", "macro-F1", "before", "95 % interval of the difference"]
    return table(header, rows)


def _labels(held_out: Mapping[str, Any]) -> str:
    rows = [
        [
            tag,
            label,
            score(found["precision"]),
            score(found["recall"]),
            score(found["f1"]),
            f"{found['posts']:,}",
        ]
        for tag, scores in held_out.items()
        for label, found in scores["labels"].items()
    ]
    return table(["tag", "label", "precision", "recall", "F1", "posts"], rows)


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
                f"{score(language[key][model]['macro_f1'])} "
                f"({between(language[key][model]['interval'])})"
                for model in models
            ],
        ]
        for key, title in names.items()
    ]
    text = table(["macro-F1 on fr, en, other", "texts", *models], rows)
    mixed = language["mixed"]
    if mixed:
        text += (
            f"\n\n`mixed`: F1 {score(mixed['f1'])} on {mixed['posts']} posts written for it, of "
            f"which {mixed['mixed']} are mixed and the others hard."
        )
    return text


def _sponsored(sponsored: Mapping[str, Any]) -> str:
    silent, praise = sponsored["without_disclosure"], sponsored["organic_praise"]
    by_origin = sponsored["without_disclosure_by_origin"]
    rows = [
        [origin, score(found["f1"]), f"{found['yes']:,}", f"{found['posts']:,}"]
        for origin, found in sorted(by_origin.items(), key=lambda item: -item[1]["yes"])
    ]
    return (
        f"Disclosures are found by rules, right in {score(sponsored['disclosed']['precision'])} "
        f"of {sponsored['disclosed']['posts']} posts. Where they found nothing, the model reads "
        f"the text: F1 of `yes` {score(silent['f1'])} on {silent['yes']:,} of "
        f"{silent['posts']:,} posts. Customers who praise with no sign of an interest are called "
        f"sponsored in {score(praise['called_sponsored'])} of {praise['posts']:,} cases.\n\n"
        + table(["origin (nothing found)", "F1 of yes", "yes", "posts"], rows)
    )


def _training(training: Mapping[str, Any]) -> str:
    corpora = sorted({name for posts in training["posts"].values() for name in posts})
    tags = list(training["posts"])
    rows = [
        [name, *[f"{training['posts'][tag].get(name, 0):,}" for tag in tags]] for name in corpora
    ]
    text = table(["corpus", *tags], rows)
    language = training.get("language")
    if language:
        text += (
            f"\n\nLanguage: {language['texts']:,} texts and pieces of texts from "
            f"{', '.join(language['corpora'])}; mixed posts were made from a French and an English "
            "clause."
        )
    left_out = training.get("left_out")
    if left_out:
        text += f"{' ' if language else chr(10) * 2}Left out for their licences: "
        text += f"{', '.join(left_out)}."
    taught = training.get("taught", {})
    if taught.get("teacher"):
        text += (
            f"\n\nTaught by {taught['teacher']}: the probabilities that it gives "
            f"{taught['posts']:,} further posts, labelled or not, count beside read labels. "
            "None of them, nor a copy, is measured on."
        )
    companion = training.get("companion", {})
    if companion.get("posts"):
        text += (
            f"\n\nThe linear model `{companion['name']}` beside it, which gives the language tag, "
            f"was trained on:\n\n{_training(companion)}"
        )
    return text
