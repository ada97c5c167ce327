"""Ask a person before a run that would send very many requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context

from airflow_provider_interactions.connection import build_options
from airflow_provider_interactions.hooks.base import InteractionsHook
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.lake_url import open_lake
from airflow_provider_interactions.runtime.planning import plan_task


class ApprovePlanOperator(ApprovalOperator):
    """Let a run pass if its plan has at most ``max_requests`` requests; else wait until a person approves it.

    The page "Required Actions" of Airflow's UI shows the plan. If the person rejects it, the tasks after this one are
    skipped. In Airflow 3.2 the wait needs a triggerer.

    :param batches: the output of ListContactsOperator
    :param max_requests: number of requests from which on the run must be approved
    :param vendor: name of the vendor; default: the connection's type
    :param conn_id: Airflow connection; default: ``<vendor>_default``
    :param lake: root of the lake; default: ``[interactions] lake`` in the configuration
    :param vendor_options: options of the vendor
    """

    template_fields: Sequence[str] = (
        *ApprovalOperator.template_fields,
        *("batches", "max_requests", "vendor", "conn_id", "lake", "vendor_options"),
    )

    def __init__(
        self,
        *,
        batches: Sequence[Mapping[str, Any]],
        max_requests: int | str,
        vendor: str | None = None,
        conn_id: str | None = None,
        lake: str | None = None,
        vendor_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        title = f"Read {conn_id or vendor} with more than {max_requests} requests?"
        super().__init__(subject=kwargs.pop("subject", title), **kwargs)
        self.batches = batches
        self.max_requests = max_requests
        self.vendor = vendor
        self.conn_id = conn_id
        self.lake = lake
        self.vendor_options = vendor_options

    def execute(self, context: Context) -> Any:
        """Return None if the plan is within the limit; else show it and wait for an answer."""
        from airflow_provider_interactions.plan.text import describe_plan

        with raise_for_airflow(f"connection {self.conn_id or f'{self.vendor}_default'}"):
            plan = self._plan()
        text = describe_plan(plan)
        self.log.info("%s", text)
        if plan.wide.requests <= int(self.max_requests):
            return None
        # Markdown in which each line is a paragraph: Airflow's UI joins the lines of a block of code.
        self.body = "\n\n".join([f"The run would send {plan.wide.requests:,} requests.", *text.splitlines()])
        return super().execute(context)

    def _plan(self) -> Any:
        from airflow_provider_interactions.runtime.batching import read_reference

        references = [read_reference(batch) for batch in self.batches]
        hook = InteractionsHook(self.conn_id or f"{self.vendor}_default", vendor=self.vendor)
        first, contacts = references[0], sum(one.count for one in references)
        options = build_options(hook.vendor, self.vendor_options)
        size = max(1, first.count)
        return plan_task(hook, open_lake(self.lake), options, contacts, first.window, first.width, batch_size=size)
