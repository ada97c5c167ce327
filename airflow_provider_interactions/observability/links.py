"""Links in Airflow's UI from a task to its files in the lake.

Airflow's UI shows web addresses only. ``[interactions] browse`` in the configuration gives that of the lake's files; in
it, ``{path}`` stands for the path in the lake. Without it, the manifest of a window opens as a page of this package's
plugin, if ``[api] base_url`` says where Airflow's UI is. Other files have the lake's own address (``s3://…``,
``file://…``). Airflow computes the link in the worker when the task ends, and stores it as an XCom.
"""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import quote, unquote, urlencode

from airflow.sdk import BaseOperatorLink, conf

from airflow_provider_interactions.observability.summary import Summary

#: Where the API server serves the plugin: the same as ``plugin.interactions.PREFIX``, which this room cannot import.
PREFIX = "/interactions"

#: The stages whose summary names the manifest of a window.
WINDOW_STAGES = frozenset(("extract", "publish", "normalize", "load"))


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
        return self.find_page(summary) or open_lake(operator.lake).url(path)

    def find_page(self, summary: Summary) -> str:
        """The address of the plugin's page about a window's manifest; empty if there is none."""
        base = conf.get("api", "base_url", fallback="") or ""
        if self.ending or summary.stage not in WINDOW_STAGES or summary.windows != 1 or not base.startswith("http"):
            return ""
        place = {"vendor": summary.vendor, "account": summary.account}
        window = {"start": summary.window_start or "", "end": summary.window_end or ""}
        return f"{base.rstrip('/')}{PREFIX}/manifest?{urlencode(place | window)}"


class ParquetLink(ManifestLink):
    """The answer to a request, as Parquet."""

    name, ending = "Parquet", ".parquet"


class ReceiptLink(ManifestLink):
    """The receipt of an erasure, as a page."""

    name, ending = "Receipt", ".html"

    def find_page(self, summary: Summary) -> str:
        """The address of the plugin's page about a receipt; empty if there is none."""
        base = conf.get("api", "base_url", fallback="") or ""
        if not base.startswith("http"):
            return ""
        name = unquote(posixpath.basename(summary.path).removesuffix(".json"))
        return f"{base.rstrip('/')}{PREFIX}/receipt?{urlencode({'name': name})}"


class PageLink(ManifestLink):
    """The answer to a request as a page for people."""

    name, ending = "Page", ".html"


class LinesLink(ManifestLink):
    """The answer to a request for people to read: one interaction on each line, as JSON."""

    name, ending = "JSON lines", ".jsonl"
