"""Erase people: first plan what that means, then let somebody approve it, then erase."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink, Context
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.hooks.base import InteractionsHook, mask
from airflow_provider_interactions.observability.links import ReceiptLink
from airflow_provider_interactions.observability.summary import summarize_erasure
from airflow_provider_interactions.operators.erasure import ErasureOperator
from airflow_provider_interactions.runtime.context import identify_run
from airflow_provider_interactions.runtime.failures import raise_for_airflow

if TYPE_CHECKING:
    from airflow_provider_interactions.lake.paths import AccountPaths
    from airflow_provider_interactions.lake.storage import Lake
    from airflow_provider_interactions.person.erasure_plan import ErasurePlan, People
    from airflow_provider_interactions.person.receipt import Receipt

#: What an approval says if somebody approved.
APPROVED = ["Approve"]

#: The vendor or account in the ledger and in metrics, for several.
EVERY = "all"


class PlanErasureOperator(ErasureOperator):
    """Count what an erasure would find, for the person who approves it; returns the plan, which names nobody.

    The plan's ``text`` is made for the ``body`` of Airflow's ApprovalOperator. Give the whole plan to
    EraseContactOperator: it then erases exactly the people that were counted. Nothing is changed. If ``outcomes`` find
    nobody, the task is skipped, and so are the tasks after it.
    """

    stage = "plan_erasure"

    operator_extra_links: Collection[BaseOperatorLink] = ()

    def perform(self, context: Context) -> dict[str, Any]:
        """Check everything that can be checked, and search the lake."""
        from airflow_provider_interactions.person.erasure_plan import describe_plan, plan_erasure

        with raise_for_airflow():
            lake = self.open_lake()
            people = self.find_people(context, lake)
            if not people:
                raise AirflowSkipException("No contact has one of these outcomes, so there are no contacts to erase.")
            self.attempt.note_account(_name_vendors(people), EVERY)
            tables = [".".join(filter(None, one.describe())) for one in self.open_tables(context, lake)]
            plan = plan_erasure(lake, people, tables, self.find_policy_keys())
        lines = list(describe_plan(plan))
        for line in lines:
            self.log.info("%s", line)
        return _build_plan(plan, lines)


class EraseContactOperator(ErasureOperator):
    """Erase people from the lake and from every target; returns the receipt's counts. It never runs by itself.

    Give it ``plan`` and ``approval``, the outputs of PlanErasureOperator and of Airflow's ApprovalOperator. It erases
    only the people of the plan, and only if a user approved: an approval by timeout is refused. Or give
    ``approved_by``, if people approve elsewhere.

    Former states of the lake's files, records of other people that name these people, and copies elsewhere stay: see
    the page about erasure in the documentation. The receipt is in the lake, ``receipts/<name>.json`` and ``.html``. It
    holds counts, and keyed hashes of the identifiers. If something could not be erased, the task fails, and the receipt
    says what. A retry, or a cleared task, continues the same receipt.

    Logs, XCom, file names and rendered templates never hold identifiers. Identifiers typed into a form stay in the
    run's configuration; delete the run when the erasure is complete.

    :param plan: the output of PlanErasureOperator
    :param approval: the output of Airflow's ApprovalOperator
    :param approved_by: who approved, instead of ``approval``
    """

    stage = "erase"

    operator_extra_links: Collection[BaseOperatorLink] = (ReceiptLink(),)

    template_fields: Sequence[str] = (*ErasureOperator.template_fields, "plan", "approval", "approved_by")

    def __init__(
        self,
        *,
        plan: Mapping[str, Any] | None = None,
        approval: Mapping[str, Any] | None = None,
        approved_by: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.approval = approval
        self.approved_by = approved_by

    def perform(self, context: Context) -> dict[str, Any]:
        """Check the approval, erase, and search; fails if anything is left, and the receipt says what."""
        from airflow_provider_interactions.person.erasure import erase_people

        with raise_for_airflow():
            approved_by = self._read_approval()
            lake = self.open_lake()
            name = name_receipt_of(context, self.retries or 0)
            people = self._continue(lake, name) or self.find_people(context, lake)
            self.attempt.note_account(_name_vendors(people), EVERY)
            self._check_plan(lake, people)
            try:
                receipt = erase_people(
                    lake,
                    people,
                    self.open_tables(context, lake),
                    approved_by=approved_by,
                    accounts=self._list_accounts(context, people),
                    pseudonyms=self.find_policy_keys(),
                    name=name,
                    keep=name is not None,
                )
            except Exception:
                self._link_receipt(lake, people, name)
                raise
        return self.finish(context, summarize_erasure(self.stage, list(people), receipt), _build_result(lake, receipt))

    def _continue(self, lake: Lake, name: str | None) -> People | None:
        """The people of a former try. The map or the outcomes may not name them any more."""
        from airflow_provider_interactions.person.erasure import read_kept_people

        people = read_kept_people(lake, name) if name else None
        if people:
            mask(*(one.id for contacts in people.values() for one in contacts))
        return people

    def _read_approval(self) -> str:
        """Who approved the plan. Raises ConfigError if nobody did."""
        if self.approved_by and not self.approval:
            return self.approved_by
        approval = self.approval or {}
        user = approval.get("responded_by_user") or {}
        name = user.get("name") or user.get("id")
        if approval.get("chosen_options") != APPROVED or not name:
            msg = (
                "Nobody approved this erasure, so nothing was changed. Give the operator approval, the output of an "
                "ApprovalOperator that a user has answered, or approved_by."
            )
            raise ConfigError(msg)
        return str(name)

    def _check_plan(self, lake: Lake, people: People) -> None:
        """Raise ConfigError if others would be erased than those of the plan."""
        from airflow_provider_interactions.person.erasure import require_key
        from airflow_provider_interactions.person.erasure_plan import digest_people

        if self.plan is None:
            return
        if self.plan.get("digest") != digest_people(require_key(lake), people):
            msg = (
                "These are not the people of the plan that was approved: the map, the outcomes, the run's params or "
                "the key have changed since. Nothing was changed. Clear the planning task, and approve again."
            )
            raise ConfigError(msg)

    def _list_accounts(self, context: Mapping[str, Any], people: People) -> list[AccountPaths]:
        """The accounts of connections: they may be in tables, also if the lake has nothing of them."""
        from airflow_provider_interactions.lake.paths import AccountPaths

        given = self.read_argument(context, "conn_ids")
        found = []
        for conn_id in given or [f"{vendor}_default" for vendor in people]:
            hook = InteractionsHook(conn_id)
            try:
                found.append(AccountPaths(hook.vendor.name, hook.credentials.account))
            except AirflowNotFoundException:
                if given:
                    raise
        return [one for one in found if one.vendor in people]

    def _link_receipt(self, lake: Lake, people: People, name: str | None) -> None:
        """Let the task link to the receipt of an erasure that is not complete."""
        from airflow_provider_interactions.person.receipt import Receipt, name_receipt

        found = lake.read(name_receipt(name), Receipt) if name else None
        if found:
            self.summary = summarize_erasure(self.stage, list(people), found)


def name_receipt_of(context: Mapping[str, Any], retries: int) -> str | None:
    """The name of a run's receipt: the same for all tries of its task. A run's id may hold a name, so it is hashed."""
    run = identify_run(context, retries)
    if run.name is None:
        return None
    begun = getattr(context.get("dag_run"), "run_after", None) or datetime.now(UTC)
    return f"{begun:%Y%m%dT%H%M%SZ}-{hashlib.sha256(run.name.encode()).hexdigest()[:8]}"


def _name_vendors(people: People) -> str:
    return next(iter(people)) if len(people) == 1 else EVERY


def _build_plan(plan: ErasurePlan, lines: Sequence[str]) -> dict[str, Any]:
    import msgspec

    return {"text": "\n\n".join(lines), **msgspec.json.decode(msgspec.json.encode(plan))}


def _build_result(lake: Lake, receipt: Receipt) -> dict[str, Any]:
    """The receipt without the hashes of the people."""
    import msgspec

    from airflow_provider_interactions.person.receipt import describe_receipt

    found = msgspec.json.decode(msgspec.json.encode(receipt))
    del found["people"]
    return {"text": describe_receipt(receipt), "receipt": receipt.path, "page": lake.url(receipt.page), **found}
