"""Answer a request for one person at every system that a map of identities names, in one task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from airflow_provider_interactions.hooks.base import InteractionsHook, mask
from airflow_provider_interactions.observability.summary import summarize_person
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.operators.person import AnswerOperator, read_end
from airflow_provider_interactions.runtime.context import find_user
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.identities import open_map
from airflow_provider_interactions.runtime.shared_limit import choose_sharing
from airflow_provider_interactions.window import Instant

if TYPE_CHECKING:
    from airflow_provider_interactions.lake.storage import Lake
    from airflow_provider_interactions.person.counts import PersonAnswer
    from airflow_provider_interactions.person.everywhere import System
    from airflow_provider_interactions.person.identities import Identity, Sought


class PersonInteractionsOperator(AnswerOperator):
    """Write everything that all systems know about one person to the lake; returns counts and paths.

    The person is given by ``person_id``, or by any one identifier. A map of identities has the other identifiers: a
    table with the columns ``person_id``, ``vendor``, ``account``, ``kind`` and ``identifier``, many rows a person. Give
    it as a file (Parquet or CSV) or as a query.

    An argument that you leave out is read from the run's param of the same name. The systems are asked one after the
    other. If one of them fails, the task fails and no file remains. The answer says what was not asked.

    Logs, XCom, file names and rendered templates never hold identifiers. Identifiers typed into a form stay in the
    run's configuration; delete the run when the request is closed.

    :param person_id: the person, as the map names it
    :param identifier: any one identifier of the person, instead of ``person_id``
    :param vendor: only a row of this vendor names the person; default: any vendor
    :param kind: only a row of this kind names the person; default: any kind
    :param identities: address of the map: any object-storage URL that Airflow supports, or a local path; default:
        ``[interactions] identities`` in the configuration
    :param identities_sql: a query that returns the map, instead of ``identities``
    :param identities_conn_id: Airflow connection of the query's database
    :param conn_ids: Airflow connections of the systems to ask, one an account; default: ``<vendor>_default`` of each
        vendor that the person's rows name
    :param start: only interactions at or after this time (aware datetime, or ISO 8601 text with a zone); default: all
        time
    :param end: only interactions before this time; default: all time
    :param time_zone: IANA name of the zone of the times on the page, for example ``Europe/Vienna``; default: UTC
    :param options: options of the vendors, by the vendor's name
    """

    template_fields: Sequence[str] = (
        *LakeOperator.template_fields,
        *("vendor", "kind", "identities", "identities_sql", "identities_conn_id"),
        *("conn_ids", "start", "end", "time_zone", "options"),
    )

    def __init__(
        self,
        *,
        person_id: str | None = None,
        identifier: str | None = None,
        vendor: str | None = None,
        kind: str | None = None,
        identities: str | None = None,
        identities_sql: str | None = None,
        identities_conn_id: str | None = None,
        conn_ids: Sequence[str] | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        time_zone: str | None = None,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.person_id = person_id
        self.identifier = identifier
        self.vendor = vendor
        self.kind = kind
        self.identities = identities
        self.identities_sql = identities_sql
        self.identities_conn_id = identities_conn_id
        self.conn_ids = conn_ids
        self.start = start
        self.end = end
        self.time_zone = time_zone
        self.options = options

    def perform(self, context: Context) -> dict[str, Any]:
        """Find the identifiers, ask the systems and write the files; fails at once if a retry cannot help."""
        from airflow_provider_interactions.person.everywhere import EVERY, answer_person

        params, lake = context.get("params") or {}, self.open_lake()
        self.attempt.note_account(EVERY, EVERY)
        with raise_for_airflow():
            systems, gaps = self._choose_systems(lake, self._find_identities(params), params)
            for gap in gaps:
                self.log.warning("%s", gap)
            answer = answer_person(lake, systems, gaps=gaps, asked_by=find_user(context))
        return self.finish(context, summarize_person(self.stage, answer), self._build_result(answer))

    def _find_identities(self, params: Mapping[str, Any]) -> list[Identity]:
        from airflow_provider_interactions.person.identities import find_identities

        scan = open_map(
            *(self.read_argument(params, name) for name in ("identities", "identities_sql", "identities_conn_id"))
        )
        identities = find_identities(scan, self._read_sought(params))
        mask(*(identity.contact.id for identity in identities))
        return identities

    def _read_sought(self, params: Mapping[str, Any]) -> Sought:
        from airflow_provider_interactions.person.identities import Sought

        names = ("person_id", "identifier", "vendor", "kind")
        given = {name: str(value) for name in names if (value := self.read_argument(params, name)) is not None}
        # A library may log what names the person.
        mask(*(given[name] for name in ("person_id", "identifier") if name in given))
        return Sought(**given)

    def _choose_systems(
        self, lake: Lake, identities: Sequence[Identity], params: Mapping[str, Any]
    ) -> tuple[list[System], list[str]]:
        """The systems to ask, and what cannot be asked."""
        from airflow_provider_interactions.person.everywhere import System, match_accounts
        from airflow_provider_interactions.person.request import check_request

        hooks = {(hook.vendor.name, hook.credentials.account): hook for hook in self._list_hooks(identities, params)}
        asked, gaps = match_accounts(identities, list(hooks))
        systems = []
        for key, contacts in asked.items():
            request = check_request(
                hooks[key].vendor,
                contacts,
                start=read_end("start", self.read_argument(params, "start")),
                end=read_end("end", self.read_argument(params, "end")),
                options=(self.options or {}).get(key[0]),
                time_zone=self.read_argument(params, "time_zone"),
            )
            systems.append(System(request, hooks[key].credentials, choose_sharing(lake, hooks[key], ahead=True)))
        return systems, gaps

    def _list_hooks(self, identities: Sequence[Identity], params: Mapping[str, Any]) -> Iterator[InteractionsHook]:
        conn_ids = self.read_argument(params, "conn_ids")
        if conn_ids:
            yield from (InteractionsHook(conn_id) for conn_id in conn_ids)
            return
        for vendor in dict.fromkeys(identity.vendor for identity in identities):
            yield InteractionsHook(f"{vendor}_default", vendor=vendor)

    def _build_result(self, answer: PersonAnswer) -> dict[str, Any]:
        from airflow_provider_interactions.person.report import describe_person

        for found in answer.systems:
            self.warn_of_outcomes(found.people, found.vendor)
        return self.build_result(answer, list(describe_person(answer)))
