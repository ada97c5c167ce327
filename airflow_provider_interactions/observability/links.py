"""Links from a task to what it left in the lake, in Airflow's UI.

An address is the lake's own (``s3://…``, ``file://…``) unless the configuration's ``[interactions] browse`` says under
which web address people open the lake's files, with ``{path}`` where the path in the lake goes. Airflow computes it in
the worker when the task ends, and keeps it as an XCom.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink, conf


class ManifestLink(BaseOperatorLink):
    """The manifest of the task's window, or the summary of a request's answer."""

    name = "Manifest"

    #: What the file beside that one ends with.
    ending = ""

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - the operator has just run
        """The address; empty for a task that left nothing."""
        from airflow_provider_interactions.runtime.lake_url import open_lake

        found = getattr(operator, "summary", None)
        if found is None:
            return ""
        path = found.path.removesuffix(".json") + self.ending if self.ending else found.path
        browse = conf.get("interactions", "browse", fallback="")
        if browse:
            return browse.replace("{path}", quote(path, safe="/="))
        return open_lake(operator.lake).url(path)


class ParquetLink(ManifestLink):
    """Everything known of the people a request is about, as Parquet."""

    name, ending = "Parquet", ".parquet"


class LinesLink(ManifestLink):
    """The same for people to read: one interaction a line, as JSON."""

    name, ending = "JSON lines", ".jsonl"
