"""Marks of changed manifests, so that a look at a lake in an object store need not list all manifests each time.

::

    changes/vendor=…/account=…/mark.json      replaced before a manifest of the account's windows or histories changes

Whoever knows an account's manifests and finds the same mark as before knows that none of them has changed, provided
that its listing began some time after the mark (``GRACE``): a change follows its mark, and may take a moment. A local
lake has no marks, because listing is cheap there.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from airflow_provider_interactions.lake.paths import AccountPaths, read_account

#: How much later than its mark a change may come, with the difference of two clocks.
GRACE = timedelta(minutes=1)

#: The layers whose manifests have marks.
LAYERS = ("manifests/", "history/")

#: The folder of the marks.
FOLDER = "changes"


def mark_changes(fs: Any, root: str, paths: Iterable[str]) -> None:
    """Mark the accounts whose manifests are about to change; other paths need no mark. Raises as the driver does."""
    for account in {read_account(path) for path in paths if path.startswith(LAYERS) and path.endswith(".json")}:
        if account is not None:
            fs.pipe_file(f"{root}/{name_mark(account)}", b'"%s"' % uuid.uuid4().hex.encode())


def name_mark(account: AccountPaths) -> str:
    """The mark of an account."""
    return f"{account.folder(FOLDER)}/mark.json"
