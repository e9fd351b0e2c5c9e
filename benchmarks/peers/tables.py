"""Tables and pictures of what was measured, for the results and for the README."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Result = Mapping[str, Any]

_OURS = "murmure"
_RED, _BLUE, _GREY = "#b5542b", "#1f5f8b", "#999999"


def number(value: float) -> str:
    """A figure as tables show it.

    Example:
        >>> number(12345), number(4.25), number(87.0)
        ('12,345', '4.25', '87')
    """
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:g}"


def on_what(result: Result) -> str:
    """The machine in a sentence."""
    machine, settings = result["machine"], result["settings"]
    return (
        f"{machine['processor']}, {settings['threads']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {result['versions']['murmure']['python']}; "
        f"{result['measured_at'][:10]}"
    )


def speed_table(result: Result) -> str:
    """Speed, memory and size of all contenders, the fastest first."""
    speed, about = result["speed"], result["contenders"]
    lines = [
        "| | tags | posts/s (least–most) | start-up, s | memory, MiB | installed, MB | "
        "of which or beside it models, MB | posts read |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, of in sorted(speed.items(), key=lambda one: -one[1]["posts_per_second"]):
        mine = about[name]
        bold = "**" if name.startswith(_OURS) else ""
        marked = " †" if mine["random"] else ""
        lines.append(
            f"| {bold}{name}{bold}{marked} | {mine['tags']} | "
            f"{bold}{number(of['posts_per_second'])}{bold} "
            f"({number(of['least'])}–{number(of['most'])}) | {of['start_seconds']} | "
            f"{number(round(of['memory_mib']['pss']))} | {number(round(mine['installed_mb']))} | "
            f"{number(mine['model_mb'])} | {of['posts']:,} |"
        )
    return "\n".join(lines)


def speed_notes(result: Result) -> str:
    """What the figures of `speed_table` are, and where we lose."""
    settings, data = result["settings"], result["data"]
    return (
        f"{data['posts']:,} distinct posts ({data['origin']}; median {data['characters_median']} "
        f"characters), so that nothing is tagged twice; Parquet to Parquet; "
        f"{settings['threads']} processes of one thread or, for those on torch and the ONNX peers, "
        f"one of {settings['threads']}; medians of {settings['rounds']} rounds in which all took "
        "turns. Start-up is the whole command over one post, and left out of posts/s; memory is "
        "the most that all processes held together, shared pages once. Slow ones read fewer "
        "posts, of the same lengths. † random weights: speed alone; 12 × 768 means 12 layers of "
        f"768. {on_what(result)}."
    )


def lost(result: Result) -> str:
    """Says plainly who does better than ours, and at what."""
    speed, about = result["speed"], result["contenders"]
    sentences = []
    for ours in (name for name in speed if name.startswith(_OURS)):
        mine = {
            "posts/s": -speed[ours]["posts_per_second"],
            "start-up": speed[ours]["start_seconds"],
            "memory": speed[ours]["memory_mib"]["pss"],
            "installed size": about[ours]["installed_mb"],
        }
        better = []
        for name, of in speed.items():
            if name.startswith(_OURS):
                continue
            theirs = {
                "posts/s": -of["posts_per_second"],
                "start-up": of["start_seconds"],
                "memory": of["memory_mib"]["pss"],
                "installed size": about[name]["installed_mb"],
            }
            at = [what for what, value in theirs.items() if value < mine[what]]
            if at:
                better.append(f"{name} ({', '.join(at)})")
        if better:
            sentences.append(f"Better than `{ours.split()[-1]}`: {'; '.join(better)}.")
    return " ".join(sentences)


def targets_table(result: Result) -> str:
    """What was to be reached, and what was."""
    lines = ["| | target | measured | |", "|---|--:|--:|---|"]
    for one in result["targets"]:
        met = "met" if one["met"] else "**missed**"
        lines.append(
            f"| {one['what']} | {number(one['target'])} | {number(one['measured'])} | {met} |"
        )
    return "\n".join(lines)


def quality_table(result: Result, *, corpora: Sequence[str] | None = None) -> str:
    """Macro-F1 by corpus, tag and language; the best of a row is bold.

    Args:
        result: as `run` writes it.
        corpora: those shown; None for all.
    """
    rows = [one for one in result["quality"] if corpora is None or one["corpus"] in corpora]
    judges = [name for name in result["judges"] if any(name in one["scores"] for one in rows)]
    lines = [
        "| posts | tag | language | n | " + " | ".join(judges) + " |",
        "|---|---|---|--:|" + "--:|" * len(judges),
    ]
    for one in rows:
        scores = one["scores"]
        best = max(of["macro_f1"] for of in scores.values())
        cells = []
        for name in judges:
            if name not in scores:
                cells.append("–")
                continue
            value = scores[name]["macro_f1"]
            cells.append(f"**{value:.3f}**" if value == best else f"{value:.3f}")
        posts = next(iter(scores.values()))["posts"]
        lines.append(
            f"| {one['corpus']} | {one['tag']} | {one['language']} | {posts:,} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines)


def quality_notes(result: Result) -> str:
    """What the figures of `quality_table` are."""
    return (
        "Macro-F1 over the labels with ten posts or more. Peers that can be trained were trained "
        f"on {result['training']}, `base` and `fast` on that and on other corpora; none of them on "
        "posts measured here, though `base` kept the weights that were best on the validation "
        "posts of `annotated`, and the calibration of both, which can change a label where it is "
        "close, was fitted with them, out of fold. Identifiers "
        "choose among all languages that they know, what is neither French nor English counting "
        "as `other`; `mixed` posts are left out of `language` for everybody."
    )


def draw_speed(result: Result, file: Path) -> None:
    """Draws posts a second, on a scale of powers of ten, and memory of all contenders."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    ordered = sorted(result["speed"].items(), key=lambda one: one[1]["posts_per_second"])
    names = [f"{name} †" if result["contenders"][name]["random"] else name for name, _ in ordered]
    colours = [_RED if name.startswith(_OURS) else _BLUE for name in names]
    figure, (rates, memory) = plt.subplots(
        1, 2, figsize=(10, 0.36 * len(names) + 1.2), sharey=True, layout="constrained"
    )
    middle = [of["posts_per_second"] for _, of in ordered]
    below = [of["posts_per_second"] - of["least"] for _, of in ordered]
    above = [of["most"] - of["posts_per_second"] for _, of in ordered]
    rates.barh(names, middle, color=colours, xerr=(below, above), ecolor=_GREY)
    least = 10 ** math.floor(math.log10(min(of["least"] for _, of in ordered)) - 0.5)
    rates.set(xscale="log", xlim=(least, None), xlabel="posts a second, start-up left out")
    memory.barh(names, [of["memory_mib"]["pss"] for _, of in ordered], color=colours)
    memory.set(xlabel="peak memory, MiB")
    for axes in (rates, memory):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def draw_quality(result: Result, file: Path) -> None:
    """Draws macro-F1 with its intervals, a panel for each corpus with more than one tag."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    rows = result["quality"]
    judges = [name for name in result["judges"] if any(name in one["scores"] for one in rows)]
    palette = plt.get_cmap("tab10")
    figure, axes = plt.subplots(figsize=(9, 0.42 * len(rows) + 1.4), layout="constrained")
    for place, one in enumerate(reversed(rows)):
        for number_of, name in enumerate(judges):
            if name not in one["scores"]:
                continue
            of = one["scores"][name]
            at = place + 0.3 - 0.6 * number_of / max(len(judges) - 1, 1)
            axes.plot(of["interval"], [at, at], color=palette(number_of), linewidth=1)
            axes.plot(of["macro_f1"], at, "o", color=palette(number_of), markersize=4)
    names = [f"{one['corpus']}: {one['tag']}, {one['language']}" for one in reversed(rows)]
    axes.set_yticks(range(len(rows)), names)
    axes.set(xlabel="macro-F1, with 95 % bootstrap interval", xlim=(0, 1))
    handles = [
        Line2D([], [], marker="o", linestyle="", color=palette(n), label=name)
        for n, name in enumerate(judges)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def section(speed: Result | None, quality: Result | None) -> str:
    """The README's section: both tables with what they mean, in Markdown.

    Args:
        speed: what `run speed` wrote, if it was run.
        quality: what `run quality` wrote, if it was run.
    """
    parts = []
    if speed is not None:
        parts += [
            speed_table(speed),
            speed_notes(speed),
            lost(speed),
            targets_table(speed),
            "Made with `python -m benchmarks.peers.run speed --corpora FOLDER`.",
        ]
    if quality is not None:
        main = [one for one in ("annotated/validation",) if _holds(quality, one)] or None
        parts += [
            quality_table(quality, corpora=main),
            quality_notes(quality),
            "Made with `python -m benchmarks.peers.run quality --corpora FOLDER`.",
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _holds(quality: Result, corpus: str) -> bool:
    return any(one["corpus"] == corpus for one in quality["quality"])
