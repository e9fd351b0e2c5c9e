"""Leave one origin out: every source's posts counted with what all other sources teach.

There the genre changes too, which no correction by prevalence allows for. Each origin is one bag a
language at the prevalences that it has. The model itself has seen posts of the origin, though not
these: its probabilities are out of fold.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.counting.methods import AUDIT, Ours, audit
from benchmarks.counting.peers import PEERS, PeersByLanguage
from benchmarks.counting.protocol import TARGETS, predicted_classes, write_authors
from benchmarks.counting.splits import Columns, read_posts
from murmure.influence.cells import make_cells
from murmure.influence.correcting import FEWEST_LABELLED
from murmure.influence.posteriors import LANGUAGES

#: An origin with fewer posts of a language is not counted.
FEWEST = 50


def origins(folder: Path) -> list[str]:
    """The origins that are left out, one after the other."""
    sample = read_posts(folder)
    found = []
    for name in np.unique(sample.origins):
        languages = sample.languages[sample.origins == name]
        rest = len(sample) - len(languages)
        if np.bincount(languages).max() >= FEWEST and rest >= FEWEST_LABELLED:
            found.append(str(name))
    return found


def measure_origin(folder: Path, *, origin: str, seed: int, peers: bool) -> Columns:
    """One origin's posts, one row a language and label.

    Args:
        folder: of the model.
        origin: its name.
        seed: of the audit and the authors.
        peers: whether to ask quapy's methods too.

    Returns:
        Columns as those of `splits.measure_ours` and `splits.measure_peers`, less the cell's, with
        `origin` and `distrust`. An audit labels `AUDIT` posts, or half of the origin's.
    """
    sample = read_posts(folder)
    inside = sample.origins == origin
    pool, rest = sample.take(inside), sample.take(~inside)
    generator = np.random.default_rng([seed, 1_000_000])
    authors = write_authors(pool, generator)
    ours = Ours(make_cells(rest), pool, authors)
    predicted = predicted_classes(pool)
    asked = PeersByLanguage(rest, pool)
    rows = []
    for language, name in enumerate(LANGUAGES):
        posts = np.flatnonzero(pool.languages == language)[None]
        if posts.shape[1] < FEWEST:
            continue
        seen = ours.see(posts, language)
        for target in TARGETS:
            truth = target.member[pool.classes[posts]]
            found = ours.count(seen, target)
            after = audit(
                found, ours.said(seen, target)[:, ours.kind[posts[0]]], truth, authors[posts],
                labels=min(AUDIT, posts.shape[1] // 2), generator=generator,
            )  # fmt: skip
            row = {
                "origin": origin, "language": name, "tag": target.tag, "label": target.label,
                "n": float(posts.shape[1]), "truth": float(truth.sum()),
                "raw": float(target.member[predicted[posts]].sum()),
                "distrust": float(seen.answers["sentiment"].distrust[0]),
            }  # fmt: skip
            for method, numbers in (("ours", found), ("audited", after)):
                row[method] = float(numbers.estimate[0])
                row[f"{method}_low"] = float(numbers.low[0])
                row[f"{method}_high"] = float(numbers.high[0])
            if peers:
                shares = asked[target.tag, language](posts[0], target)
                row |= {method: posts.shape[1] * shares[method] for method in PEERS}
            rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
