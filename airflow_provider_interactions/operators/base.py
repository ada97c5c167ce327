"""What the operators share: where the lake is, whom to ask, and which window the run is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator

from airflow_provider_interactions.contract import Options
from airflow_provider_interactions.contract import options as checked_options
from airflow_provider_interactions.hooks.base import InteractionsHook
from airflow_provider_interactions.operators.window import DAY, resolve
from airflow_provider_interactions.window import Instant, Window


class LakeOperator(BaseOperator):
    """An operator that works in the lake.

    :param lake: its root, an object-storage URL or a local path; default: the configuration's ``[interactions] lake``
    """

    template_fields: Sequence[str] = ("lake",)

    def __init__(self, *, lake: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lake = lake


class VendorOperator(LakeOperator):
    """An operator that asks a vendor. Give ``vendor``, ``conn_id``, or both.

    :param vendor: registry name; default: the connection's type
    :param conn_id: Airflow connection; default: ``<vendor>_default``
    :param start: start of the window (aware datetime, or ISO 8601 text with a zone); default: the run's own window
    :param end: its end, exclusive
    :param width: how long a partition is, in partitioned runs; default: one day
    :param options: the vendor's options
    """

    template_fields: Sequence[str] = (*LakeOperator.template_fields, "vendor", "conn_id", "start", "end", "options")

    def __init__(
        self,
        *,
        vendor: str | None = None,
        conn_id: str | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        width: timedelta = DAY,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not vendor and not conn_id:
            msg = f"{type(self).__name__} {self.task_id}: give vendor, conn_id, or both."
            raise ValueError(msg)
        self.vendor = vendor
        self.conn_id = conn_id or f"{vendor}_default"
        self.start = start
        self.end = end
        self.width = width
        self.options = options

    def hook(self) -> InteractionsHook:
        """The connection's hook; nothing is looked up before one of its properties is used."""
        return InteractionsHook(self.conn_id, vendor=self.vendor)

    def window(self, context: Mapping[str, Any]) -> Window:
        """The run's window; raises ConfigError that says what to write when it has none."""
        return resolve(context, self.start, self.end, self.width)

    def chosen(self, hook: InteractionsHook) -> Options:
        """The options, checked; raises ConfigError that names the wrong one."""
        return checked_options(hook.vendor, self.options)

    @property
    def subject(self) -> str:
        """What an error's message should name."""
        return f"connection {self.conn_id}"
