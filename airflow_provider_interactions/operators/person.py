"""Answer a data-subject request ("get my data"): all data of one or a few people, in one task."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink, Context

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.hooks.base import InteractionsHook, mask
from airflow_provider_interactions.observability.links import LinesLink, ManifestLink, PageLink, ParquetLink
from airflow_provider_interactions.observability.summary import summarize_answer
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.params import require_kind, require_types
from airflow_provider_interactions.runtime.context import find_user, pick_given
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.shared_limit import choose_sharing
from airflow_provider_interactions.window import Instant, read_instant

if TYPE_CHECKING:
    from airflow_provider_interactions.person.counts import Answer, Person, PersonAnswer
    from airflow_provider_interactions.person.request import PersonRequest


class AnswerOperator(LakeOperator):
    """An operator that answers a request for people's data."""

    #: Airflow 3.3 returns this task's value as the DAG's result. Airflow 3.2 has no DAG results and ignores this.
    returns_dag_result = True

    stage = "request"

    operator_extra_links: Collection[BaseOperatorLink] = (PageLink(), ManifestLink(), ParquetLink(), LinesLink())

    def read_argument(self, params: Mapping[str, Any], name: str) -> Any:
        """An argument of the operator, or the run's param of the same name."""
        return pick_given(getattr(self, name), params.get(name))

    def build_result(self, answer: Answer | PersonAnswer, text: Sequence[str]) -> dict[str, Any]:
        """The task's result: counts, addresses of the files, and sentences, which are logged, too."""
        import msgspec

        lake = self.open_lake()
        addresses = {name: lake.url(getattr(answer, name).path) for name in ("parquet", "lines", "page")}
        for line in (*text, *(f"{name}: {address}" for name, address in addresses.items())):
            self.log.info("%s", line)
        # Encode as JSON and decode: Airflow would wrap tuples, and clients of the REST API would see the wrapping.
        return {"text": "\n".join(text), "addresses": addresses, **msgspec.json.decode(msgspec.json.encode(answer))}

    def warn_of_outcomes(self, people: Sequence[Person], vendor: str) -> None:
        """Log who has no data at a vendor, and why."""
        from airflow_provider_interactions.person.report import describe_outcome

        for person in people:
            if person.outcome not in ("ok", "empty"):
                self.log.warning("No data for contact %d at %s: %s", person.contact, vendor, describe_outcome(person))


class ContactInteractionsOperator(AnswerOperator):
    """Write everything that a vendor knows about given data subjects to the lake; returns counts and paths.

    An argument that you leave out is read from the run's param of the same name. All arguments are checked before the
    vendor is called. The operator writes one Parquet file, one file of JSON lines, one HTML page for people, and one
    file with the counts. Keep them safe: the first three hold personal data.

    Logs, XCom, file names and rendered templates never hold identifiers. Identifiers typed into a form stay in the
    run's configuration; delete the run when the request is closed.

    The returned value is the DAG's result: ``GET …/dagRuns/{run}/wait`` of the REST API returns it (Airflow 3.3).

    :param vendor: name of the vendor, for example ``which50``; default: the connection's type
    :param conn_id: Airflow connection; default: ``<vendor>_default``
    :param contacts: identifiers, as a list, or as text with one on each line; at most 500
    :param kind: kind of the identifiers, for example ``email``; default: the vendor's first kind
    :param start: only interactions at or after this time (aware datetime, or ISO 8601 text with a zone); default: all
        time
    :param end: only interactions before this time; default: all time
    :param types: only these types of interactions, in the vendor's words; default: all types
    :param time_zone: IANA name of the zone of the times on the page, for example ``Europe/Vienna``; default: UTC
    :param options: options of the vendor; the vendor's page in the documentation lists them
    """

    template_fields: Sequence[str] = (
        *LakeOperator.template_fields,
        *("vendor", "conn_id", "kind", "start", "end", "types", "time_zone", "options"),
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
        time_zone: str | None = None,
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
        self.time_zone = time_zone
        self.options = options

    def perform(self, context: Context) -> dict[str, Any]:
        """Check the arguments, call the vendor and write the files; fails at once if a retry cannot help.

        A failed task leaves no file.
        """
        params = context.get("params") or {}
        with raise_for_airflow(*self._name_connection(params)):
            hook = self._find_hook(params)
            request = self._check_request(hook, params)
            answer = self._answer_request(hook, request, find_user(context))
        return self.finish(context, summarize_answer(self.stage, answer), self._build_result(answer))

    def _find_hook(self, params: Mapping[str, Any]) -> InteractionsHook:
        vendor, conn_id = self.read_argument(params, "vendor"), self.read_argument(params, "conn_id")
        if vendor is None and conn_id is None:
            msg = "Neither a vendor nor a connection is given. Set the run's param vendor or the operator's argument."
            raise ConfigError(msg)
        return InteractionsHook(conn_id or f"{vendor}_default", vendor=vendor)

    def _name_connection(self, params: Mapping[str, Any]) -> Iterator[str]:
        conn_id = self.read_argument(params, "conn_id")
        if conn_id is not None:
            yield f"connection {conn_id}"

    def _check_request(self, hook: InteractionsHook, params: Mapping[str, Any]) -> PersonRequest:
        from airflow_provider_interactions.person.request import check_request, split_identifiers

        ids = split_identifiers(self.read_argument(params, "contacts"))
        # A library may log identifiers. Mask them in both spellings: as they were given and as they are sent.
        mask(*ids)
        vendor = hook.vendor
        request = check_request(
            vendor,
            ids,
            require_kind(vendor.name, self.read_argument(params, "kind"), vendor.about.person_kinds),
            start=read_end("start", self.read_argument(params, "start")),
            end=read_end("end", self.read_argument(params, "end")),
            types=require_types(vendor.name, self.read_argument(params, "types") or ()),
            options=self.options,
            time_zone=self.read_argument(params, "time_zone"),
        )
        mask(*(contact.id for contact in request.contacts))
        return request

    def _answer_request(self, hook: InteractionsHook, request: PersonRequest, asked_by: str | None) -> Answer:
        from airflow_provider_interactions.extract.progress import make_reporter
        from airflow_provider_interactions.person.request import answer_request

        lake = self.open_lake()
        self.attempt.note_account(hook.vendor.name, hook.credentials.account)
        progress = make_reporter(self.log.info, f"{hook.vendor.name}, {request.when}")
        sharing = choose_sharing(lake, hook, ahead=True)
        return answer_request(lake, request, hook.credentials, progress=progress, sharing=sharing, asked_by=asked_by)

    def _build_result(self, answer: Answer) -> dict[str, Any]:
        from airflow_provider_interactions.person.report import describe_answer

        self.warn_of_outcomes(answer.people, answer.vendor)
        return self.build_result(answer, list(describe_answer(answer)))


def read_end(name: str, value: Instant | None) -> datetime | None:
    """One end of the window; raises ConfigError that names the argument."""
    try:
        return None if value is None else read_instant(value)
    except ConfigError as error:
        msg = f"The {name} cannot be read: {error}"
        raise ConfigError(msg) from error
