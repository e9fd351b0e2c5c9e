"""Authors: which names are a person's, and which a source puts where it knows nobody."""

from __future__ import annotations

#: What exports and platforms write where there is no author, in lower case. Only what nobody would
#: take for a name of their own stands here: counted as one person, all who are called so would be
#: the loudest of all.
NOBODY = (
    "",
    # tables and programs
    "nan",
    "<na>",
    "n/a",
    "#n/a",
    "none",
    "null",
    "undefined",
    # accounts that are gone
    "[deleted]",
    "(deleted)",
    "[removed]",
    "[supprimé]",
    "deleted user",
    "deleted account",
    "utilisateur supprimé",
    "utilisatrice supprimée",
    "compte supprimé",
    # who did not say, or is not told
    "anonymous",
    "anonymous user",
    "anonyme",
    "utilisateur anonyme",
    "client anonyme",
    "unknown",
    "unknown user",
    "unknown author",
    "inconnu",
    "inconnue",
    "utilisateur inconnu",
    "auteur inconnu",
    # what shops and networks call all of them
    "a google user",
    "un utilisateur de google",
    "amazon customer",
    "client d'amazon",
    "client d’amazon",
    "facebook user",
    "utilisateur de facebook",
)

_LISTED = ", ".join("'" + name.replace("'", "''") + "'" for name in NOBODY)


def somebody(name: str = "trim(coalesce(author, ''))") -> str:
    """SQL for whether a name is a person's.

    Args:
        name: SQL for the name, never null and without spaces around it.
    """
    return f"(lower({name}) NOT IN ({_LISTED}))"
