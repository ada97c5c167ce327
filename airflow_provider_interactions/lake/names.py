"""Names of the vendor's types and fields, as manifests, logs and files may show them: few, short, and of no person.

A vendor decides what is a name in its records, and could use a person's identifier as one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from itertools import islice

#: Names to keep of one window, and of one account.
MOST = 500

#: Characters of a name that are shown.
LONGEST = 80

#: What is in an e-mail address, a telephone number or an id. OData's annotations look like addresses.
_PERSONAL = re.compile(r"\w@(?!OData\.Community\.|Microsoft\.Dynamics\.)[\w-]+\.\w|\d{6}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{16}")


def show_names(names: Iterable[str]) -> tuple[str, ...]:
    """The first ``MOST`` names in their order, each as it may be shown."""
    return tuple(islice(sorted(set(map(show_name, names))), MOST))


def show_name(name: str) -> str:
    """A name cut to ``LONGEST`` characters, unprintable ones escaped. A digest if it looks like a person's identifier.

    A name that was shown already stays as it is.
    """
    if _DIGEST.fullmatch(name):
        return name
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in name)
    if _PERSONAL.search(shown):
        return f"sha256:{hashlib.sha256(shown.encode()).hexdigest()[:16]}"
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def join_names(several: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """The names of several windows as those of one; all of them were shown already."""
    return tuple(islice(sorted({name for names in several for name in names}), MOST))
