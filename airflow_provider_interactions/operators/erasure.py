"""The base of the operators of an erasure: who is to be erased, and from which tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.hooks.base import mask
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.params import require_kind
from airflow_provider_interactions.runtime.context import pick_given, read_switch
from airflow_provider_interactions.runtime.identities import open_map
from airflow_provider_interactions.runtime.policies import find_key
from airflow_provider_interactions.runtime.targets import open_targets
from airflow_provider_interactions.targets import Targets

if TYPE_CHECKING:
    from airflow_provider_interactions.contract import Vendor
    from airflow_provider_interactions.lake.storage import Lake
    from airflow_provider_interactions.load import Target
    from airflow_provider_interactions.normalize.policy import Key
    from airflow_provider_interactions.person.erasure_plan import People


class ErasureOperator(LakeOperator):
    """An operator that works on the people of an erasure. Arguments that are left out come from the run's params.

    Give the people in one of three ways: ``vendor`` with ``contacts``; ``person_id`` or ``identifier``, for all systems
    of the map of identities; or ``vendor`` with ``outcomes``.

    :param vendor: the vendor of the contacts, for example ``which50``; with ``identifier``, only a row of this vendor
        names the person
    :param contacts: identifiers, as a list, or as text with one on each line; at most 500
    :param kind: kind of the identifiers; default: the vendor's first kind
    :param person_id: a person, as the map of identities names it
    :param identifier: any one identifier of a person in the map, instead of ``person_id``
    :param outcomes: contacts that the vendor no longer has: ``["deleted"]``, or ``["deleted", "not_found"]``. Their
        newest outcome in the last 31 windows counts
    :param all_accounts: whether an identifier that the map gives for one account is erased from the vendor's other
        accounts, too. Without it, the task fails if the lake has others
    :param identities: address of the map; default: ``[interactions] identities`` in the configuration
    :param identities_sql: a query that returns the map, instead of ``identities``
    :param identities_conn_id: Airflow connection of the query's database
    :param target: the tables to erase from, as in LoadInteractionsOperator; default: ``interactions.duckdb`` in the
        lake, if it exists
    :param table: name of the table in each target
    :param conn_ids: Airflow connections of accounts that are in the tables, but no longer in the lake; default:
        ``<vendor>_default``, if it exists
    :param policy_keys: Airflow connections of all keys, also former ones, that a policy has hashed ``contact_id`` with
    """

    template_fields: Sequence[str] = (
        *LakeOperator.template_fields,
        *("vendor", "kind", "outcomes", "all_accounts", "identities", "identities_sql", "identities_conn_id"),
        *("target", "table", "conn_ids", "policy_keys"),
    )

    def __init__(
        self,
        *,
        vendor: str | None = None,
        contacts: Sequence[str] | str | None = None,
        kind: str | None = None,
        person_id: str | None = None,
        identifier: str | None = None,
        outcomes: Sequence[str] | None = None,
        all_accounts: bool | str | None = None,
        identities: str | None = None,
        identities_sql: str | None = None,
        identities_conn_id: str | None = None,
        target: Targets = None,
        table: str = "interactions",
        conn_ids: Sequence[str] | None = None,
        policy_keys: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.vendor = vendor
        self.contacts = contacts
        self.kind = kind
        self.person_id = person_id
        self.identifier = identifier
        self.outcomes = outcomes
        self.all_accounts = all_accounts
        self.identities = identities
        self.identities_sql = identities_sql
        self.identities_conn_id = identities_conn_id
        self.target = target
        self.table = table
        self.conn_ids = conn_ids
        self.policy_keys = policy_keys

    def read_argument(self, context: Mapping[str, Any], name: str) -> Any:
        """An argument of the operator, or the run's param of the same name. An empty list counts as left out."""
        params = context.get("params") or {}
        return pick_given(getattr(self, name) or None, params.get(name) or None)

    def find_people(self, context: Mapping[str, Any], lake: Lake) -> People:
        """The people by the vendor's name. Raises ConfigError that says what is wrong, and names nobody."""
        names = ("contacts", "person_id", "identifier", "outcomes")
        given = [name for name in names if self.read_argument(context, name)]
        if len(given) != 1:
            found = f"{' and '.join(given)} are given" if given else "Nobody is given"
            msg = f"{found}. Give one of contacts, person_id, identifier and outcomes. Nothing was changed."
            raise ConfigError(msg)
        find = {"contacts": self._check_contacts, "outcomes": self._find_gone}.get(given[0], self._find_in_map)
        people = find(context, lake)
        mask(*(one.id for contacts in people.values() for one in contacts))
        return people

    def open_tables(self, context: Mapping[str, Any], lake: Lake) -> list[Target]:
        """The tables to erase from; without a target, the DuckDB file in a local lake, if there is one."""
        from airflow_provider_interactions.targets import DATABASE

        target = self.read_argument(context, "target")
        if not target and not (lake.local and lake.exists(DATABASE)):
            return []
        return open_targets(target, self.table, lake)

    def find_policy_keys(self) -> list[Key]:
        """The keys of pseudonyms in the tables and in the lake."""
        return [find_key(conn_id) for conn_id in self.policy_keys]

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - as OpenLineage calls it
        """No lineage: an erasure makes no data."""
        return

    def _check_contacts(self, context: Mapping[str, Any], lake: Lake) -> People:  # noqa: ARG002 - as all of them
        from airflow_provider_interactions.person.erasure_plan import check_people
        from airflow_provider_interactions.person.request import split_identifiers

        vendor = self._find_vendor(context)
        ids = split_identifiers(self.read_argument(context, "contacts"))
        mask(*ids)
        kind = require_kind(vendor.name, self.read_argument(context, "kind"), vendor.about.person_kinds)
        return check_people(vendor, ids, kind)

    def _find_gone(self, context: Mapping[str, Any], lake: Lake) -> People:
        from airflow_provider_interactions.person.gone import find_gone

        vendor = self._find_vendor(context).name
        contacts = find_gone(lake, vendor, self.read_argument(context, "outcomes"))
        return {vendor: contacts} if contacts else {}

    def _find_in_map(self, context: Mapping[str, Any], lake: Lake) -> People:
        from airflow_provider_interactions.person.erasure_plan import collect_people
        from airflow_provider_interactions.person.identities import Sought, find_identities, refuse_shared

        names = ("person_id", "identifier", "vendor", "kind")
        given = {name: str(value) for name in names if (value := self.read_argument(context, name)) is not None}
        mask(*(given[name] for name in ("person_id", "identifier") if name in given))
        where = ("identities", "identities_sql", "identities_conn_id")
        scan = open_map(*(self.read_argument(context, name) for name in where))
        identities = find_identities(scan, Sought(**given))
        refuse_shared(scan, identities)
        every = read_switch("all_accounts", self.read_argument(context, "all_accounts"))
        return collect_people(lake, identities, all_accounts=every)

    def _find_vendor(self, context: Mapping[str, Any]) -> Vendor:
        from airflow_provider_interactions.vendors import find_vendor

        vendor = self.read_argument(context, "vendor")
        if vendor is None:
            raise ConfigError("No vendor is given. Set the run's param vendor or the operator's argument.")
        return find_vendor(vendor)
