"""Places where a run can be made to die, so that tests can show that nothing is lost there.

`MURMURE_FAILPOINT=before-manifest:3` kills the process the third time that it comes to that place.
Without the variable a place costs one comparison.
"""

from __future__ import annotations

import os
import signal

#: The environment variable that names a place, and which time it counts.
VARIABLE = "MURMURE_FAILPOINT"

#: The places: a part half written, written but not in its place, in its place but not in the
#: manifest, its rejects half written; an author's erasure before and after the manifest says so.
NAMES = (
    "mid-part",
    "before-rename",
    "before-manifest",
    "mid-reject",
    "forget-before-manifest",
    "forget-after-manifest",
)

_WANTED = os.environ.get(VARIABLE)
_visits = 0


def reach(name: str) -> None:
    """Ends the process here and now, if it was asked to; nothing is cleaned up.

    Example:
        >>> reach("before-manifest")
    """
    global _visits  # noqa: PLW0603 - one count a process
    if _WANTED is None:
        return
    wanted, _, time = _WANTED.partition(":")
    if wanted == name:
        _visits += 1
        if _visits == int(time or 1):
            os.kill(os.getpid(), signal.SIGKILL)
