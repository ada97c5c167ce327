"""Links in Airflow's UI from a task to its files in the lake.

An address is the lake's own (``s3://…``, ``file://…``), unless ``[interactions] browse`` in the configuration gives the
web address of the lake's files. In it, ``{path}`` stands for the path in the lake. Airflow computes the link in the
worker when the task ends, and stores it as an XCom.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink, conf


class ManifestLink(BaseOperatorLink):
    """The manifest of the task's window, or the summary of a request's answer."""

    name = "Manifest"

    #: The ending of the file to link to; it has the same name otherwise. Empty for the manifest itself.
    ending = ""

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - the operator has just run
        """The address; empty if the task wrote nothing."""
        from airflow_provider_interactions.runtime.lake_url import open_lake

        summary = getattr(operator, "summary", None)
        if summary is None:
            return ""
        path = summary.path.removesuffix(".json") + self.ending if self.ending else summary.path
        browse = conf.get("interactions", "browse", fallback="")
        if browse:
            return browse.replace("{path}", quote(path, safe="/="))
        return open_lake(operator.lake).url(path)


class ParquetLink(ManifestLink):
    """The answer to a request, as Parquet."""

    name, ending = "Parquet", ".parquet"


class PageLink(ManifestLink):
    """The answer to a request as a page for people."""

    name, ending = "Page", ".html"


class LinesLink(ManifestLink):
    """The answer to a request for people to read: one interaction on each line, as JSON."""

    name, ending = "JSON lines", ".jsonl"
