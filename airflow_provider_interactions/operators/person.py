"""One person's data, or that of a few people, in one task: for a "get my data" request."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink, Context

from airflow_provider_interactions import params as airflow_provider_interactions_params
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.hooks.base import InteractionsHook, mask
from airflow_provider_interactions.observability.links import LinesLink, ManifestLink, ParquetLink
from airflow_provider_interactions.observability.summary import summarize_answer
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.runtime.context import first_given
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.lake_url import open_lake
from airflow_provider_interactions.runtime.progress import make_reporter
from airflow_provider_interactions.window import Instant, instant

if TYPE_CHECKING:
    from airflow_provider_interactions.person.counts import Answer
    from airflow_provider_interactions.person.request import Request


class ContactInteractionsOperator(LakeOperator):
    """Write everything that a vendor knows about given people into the lake; returns counts and paths.

    An argument that is left out is taken from the run's param of the same name. All are checked before the vendor is
    called. The result is one Parquet file, one file of JSON lines, and one file with the counts. They hold personal
    data.

    Identifiers are not in logs, XCom, file names or rendered templates. Those typed into a form stay in the run's
    configuration; delete the run when the request is closed.

    The returned value is the DAG's result: ``GET …/dagRuns/{run}/wait`` of the REST API returns it (Airflow 3.3).

    :param vendor: registry name; default: the connection's type
    :param conn_id: Airflow connection; default: ``<vendor>_default``
    :param contacts: identifiers, as a list or as text with one on each line; at most 500
    :param kind: the kind of the identifiers; default: the vendor's first kind
    :param start: leave out what happened before (aware datetime, or ISO 8601 text with a zone); default: all time
    :param end: leave out what happened at this time or later; default: all time
    :param types: only these types of interactions, in the vendor's words; default: all
    :param options: the vendor's options; its page lists them
    """

    #: Airflow 3.3 hands this task's value out as the DAG's result; 3.2 knows no such thing and does not look.
    returns_dag_result = True

    stage = "request"

    operator_extra_links: Collection[BaseOperatorLink] = (ManifestLink(), ParquetLink(), LinesLink())

    template_fields: Sequence[str] = (
        *LakeOperator.template_fields,
        *("vendor", "conn_id", "kind", "start", "end", "types", "options"),
    )

    def __init__(
        self,
        *,
        vendor: str | None = None,
        conn_id: str | None = None,
        contacts: Sequence[str] | str | None = None,
        kind: str | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        types: Sequence[str] | None = None,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.vendor = vendor
        self.conn_id = conn_id
        self.contacts = contacts
        self.kind = kind
        self.start = start
        self.end = end
        self.types = types
        self.options = options

    def execute(self, context: Context) -> dict[str, Any]:
        """Check, ask, write; fails at once where a retry cannot help, and then leaves no file."""
        params = context.get("params") or {}
        with raise_for_airflow(*self._facts(params)):
            hook = self._hook(params)
            asked = self._request(hook, params)
            found = self._answer(hook, asked)
        return self.finish(context, summarize_answer(self.stage, found), self._result(found))

    def _given(self, params: Mapping[str, Any], name: str) -> Any:
        return first_given(getattr(self, name), params.get(name))

    def _hook(self, params: Mapping[str, Any]) -> InteractionsHook:
        vendor, conn_id = self._given(params, "vendor"), self._given(params, "conn_id")
        if vendor is None and conn_id is None:
            msg = "Neither a vendor nor a connection is given. Give the run's parameter vendor, or the operator's."
            raise ConfigError(msg)
        return InteractionsHook(conn_id or f"{vendor}_default", vendor=vendor)

    def _facts(self, params: Mapping[str, Any]) -> Iterator[str]:
        conn_id = self._given(params, "conn_id")
        if conn_id is not None:
            yield f"connection {conn_id}"

    def _request(self, hook: InteractionsHook, params: Mapping[str, Any]) -> Request:
        from airflow_provider_interactions.person import request

        ids = request.split_identifiers(self._given(params, "contacts"))
        # Whatever some library should say of them, no log shows them, as they were given and as they are asked for.
        mask(*ids)
        asked = request.check_request(
            hook.vendor,
            ids,
            airflow_provider_interactions_params.require_kind(
                hook.vendor.name, self._given(params, "kind"), hook.vendor.about.person_kinds
            ),
            start=_read_instant("start", self._given(params, "start")),
            end=_read_instant("end", self._given(params, "end")),
            types=airflow_provider_interactions_params.require_types(
                hook.vendor.name, self._given(params, "types") or ()
            ),
            options=self.options,
        )
        mask(*(contact.id for contact in asked.contacts))
        return asked

    def _answer(self, hook: InteractionsHook, asked: Request) -> Answer:
        from airflow_provider_interactions.person import request

        lake = open_lake(self.lake)
        progress = make_reporter(self.log.info, f"{hook.vendor.name}, {asked.when}")
        return request.answer_request(lake, asked, hook.credentials, progress=progress)

    def _result(self, found: Answer) -> dict[str, Any]:
        import msgspec

        from airflow_provider_interactions.person.report import describe_answer, describe_outcome

        lake, text = open_lake(self.lake), list(describe_answer(found))
        addresses = {name: lake.url(getattr(found, name).path) for name in ("parquet", "lines")}
        for line in (*text, *(f"{name}: {address}" for name, address in addresses.items())):
            self.log.info("%s", line)
        for person in found.people:
            if person.outcome not in ("ok", "empty"):
                self.log.warning("No answer for contact %d: %s", person.contact, describe_outcome(person))
        # Once through JSON: Airflow would wrap tuples, and whoever waits at the REST API would see the wrapping.
        return {"text": "\n".join(text), "addresses": addresses, **msgspec.json.decode(msgspec.json.encode(found))}


def _read_instant(name: str, value: Instant | None) -> datetime | None:
    """One end of the window; raises ConfigError that says which one is wrong."""
    try:
        return None if value is None else instant(value)
    except ConfigError as wrong:
        msg = f"The {name} cannot be read: {wrong}"
        raise ConfigError(msg) from wrong
