"""Normalize: turn raw records into rows of the canonical table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from airflow_provider_interactions.alerts import DEFAULT, KINDS, Kind
from airflow_provider_interactions.errors import AlertRaised, ConfigError
from airflow_provider_interactions.observability.summary import summarize_normalized
from airflow_provider_interactions.operators.base import PolicyOperator
from airflow_provider_interactions.runtime.context import DAY
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.targets import is_made_of_files
from airflow_provider_interactions.runtime.xcom import describe_window, find_triggering_manifest, unpack_batches
from airflow_provider_interactions.targets import Targets, list_names

if TYPE_CHECKING:
    from airflow_provider_interactions.coverage.alerts import Alert
    from airflow_provider_interactions.extract.retention import Retention
    from airflow_provider_interactions.lake.manifest import Manifest


class NormalizeInteractionsOperator(PolicyOperator):
    """Commit a window's batches, then write its canonical rows and its rejects; returns the window's manifest.

    If the run covers several windows, the operator writes each as a scheduled run would write it. The manifest then
    names the files of all windows. If another run has committed the same window in the meantime, the operator
    normalizes that version.

    :param manifests: the output of ExtractInteractionsOperator: one manifest, or those of all mapped tasks; default:
        the manifest that the triggering asset event names
    :param split: the output of SplitWindowOperator, if several tasks have normalized the window
    :param parts: the output of NormalizePartOperator, mapped over ``split``; this operator then only publishes them
    :param width: length of the windows that a longer window is split into; default: the length that the run's first
        task chose
    :param rejects_share: the share of records that may be unreadable before the task fails; default: 0.05, or ten
        records if that is more. The task also fails if no record can be read, unless this is 1
    :param target: where the rows will be loaded, as for LoadInteractionsOperator; it decides the default of
        ``keep_former``
    :param alerts: what to look for in the normalized windows: ``drift`` (new native types and fields), ``count`` (rows
        outside of the band of the last weeks), ``rejects`` (a rising share of rejects). Each finding is a warning in
        the log, counts in the metric ``interactions.alerts`` and in the ledger, and is in the asset's event. Default:
        ``drift``; an empty list for nothing
    :param fail_on: the kinds that also fail the task, before the window is loaded. To load it after all, mark the task
        as success
    :param keep_former: how long the Parquet files of a replaced window stay, for tables that consist of these files
        (Iceberg) and for their readers: at most a day, as ``timedelta``. Default: a day if a target is in Iceberg,
        else they go at once
    :param retention: days for which the lake keeps each layer of the account: ``raw``, ``canonical``, ``history``,
        ``rejects``, ``requests`` (answers), ``contacts`` (lists). Default: ``{"requests": 30, "contacts": 30}``; None
        keeps a layer. The task removes what is older after it has published the window
    """

    stage = "normalize"

    template_fields: Sequence[str] = (*PolicyOperator.template_fields, "manifests", "split", "parts", "target")

    def __init__(
        self,
        *,
        manifests: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        split: Sequence[Mapping[str, Any]] | None = None,
        parts: Sequence[Mapping[str, Any]] | None = None,
        width: timedelta | None = None,
        rejects_share: float | None = None,
        target: Targets = None,
        keep_former: timedelta | None = None,
        alerts: Collection[Kind] | None = None,
        fail_on: Collection[Kind] | None = None,
        retention: Mapping[str, int | None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alerts = DEFAULT if alerts is None else alerts
        self.fail_on = fail_on or ()
        _require_kinds(f"{type(self).__name__} {self.task_id}", alerts=self.alerts, fail_on=self.fail_on)
        self.manifests = manifests
        self.split = split
        self.parts = parts
        self.width = width
        self.rejects_share = rejects_share
        self.target = target
        self.keep_former = keep_former
        self.retention = retention

    def perform(self, context: Context) -> dict[str, Any]:
        """Commit the raw window, normalize it and commit the result."""
        from airflow_provider_interactions.coverage.alerts import find_alerts
        from airflow_provider_interactions.lake.manifest import pack

        with raise_for_airflow():
            retention = self._read_retention()
            batches, keep = self._read_batches(context), self._find_keep_former()
            self.attempt.note_batches(batches)
        with raise_for_airflow(*describe_window(batches)):
            manifest = self._normalize(batches, keep)
        alerts = find_alerts(self.open_lake(), manifest, {*self.alerts, *self.fail_on})
        self.attempt.note_alerts(len(alerts))
        with raise_for_airflow(*describe_window([manifest])):
            removed = self._sweep(manifest, retention)
        summary = summarize_normalized(self.stage, manifest, [alert.message for alert in alerts], removed)
        result = self.finish(context, summary, pack(manifest))
        with raise_for_airflow(*describe_window([manifest])):
            self._refuse_unusual(context, alerts, result)
        return result

    def _refuse_unusual(self, context: Context, alerts: Sequence[Alert], result: dict[str, Any]) -> None:
        """Raise AlertRaised for what ``fail_on`` names. The result is stored before, for a task marked as success."""
        serious = [alert.message for alert in alerts if alert.kind in self.fail_on]
        if not serious:
            return
        if "ti" in context:
            context["ti"].xcom_push(key="return_value", value=result)
        msg = (
            f"{'; '.join(serious)}. The window is in the lake, but is not loaded. Look at it. If it is right, mark "
            "this task as success, and the run goes on."
        )
        raise AlertRaised(msg)

    def _read_retention(self) -> Retention:
        from airflow_provider_interactions.extract.retention import read_retention

        found = read_retention(self.retention)
        if found.canonical is not None and any(map(is_made_of_files, list_names(self.target))):
            msg = (
                "A table in Iceberg consists of the canonical files, so retention cannot remove them. Leave out "
                "canonical, or load into another target."
            )
            raise ConfigError(msg)
        return found

    def _sweep(self, manifest: Manifest, retention: Retention) -> Mapping[str, int]:
        from airflow_provider_interactions.extract.retention import sweep
        from airflow_provider_interactions.lake.paths import AccountPaths

        account = AccountPaths(manifest.vendor, manifest.account)
        return sweep(self.open_lake(), account, retention, datetime.now(UTC))

    def _find_keep_former(self) -> timedelta:
        if self.keep_former is not None:
            return self.keep_former
        return DAY if any(map(is_made_of_files, list_names(self.target))) else timedelta(0)

    def _normalize(self, batches: Sequence[Manifest], keep: timedelta) -> Manifest:
        from airflow_provider_interactions.lake.manifest import join_batches, unpack
        from airflow_provider_interactions.normalize.parts import publish_parts
        from airflow_provider_interactions.normalize.window import normalize_run

        policy, persons = self.find_policy(join_batches(batches).vendor), self.open_persons()
        lake = self.open_lake()
        if not self.split or batches[0].width is not None:
            return normalize_run(lake, batches, self.rejects_share, self.width, keep, policy, persons)
        split = [unpack(one["part"]) for one in self.split]
        now = datetime.fromisoformat(self.split[0]["now"])
        parts = unpack_batches(self.parts or ())
        return publish_parts(lake, split, parts, self.rejects_share, keep, now, policy, persons)

    def _read_batches(self, context: Context) -> list[Manifest]:
        if self.manifests is None:
            return [find_triggering_manifest(context, self.open_lake())]
        return unpack_batches(self.manifests)


def _require_kinds(task: str, **arguments: Collection[str]) -> None:
    """Raise ValueError while Airflow parses the DAG, for a word that is not a kind of alert."""
    for name, kinds in arguments.items():
        unknown = [kinds] if isinstance(kinds, str) else sorted(set(kinds) - set(KINDS))
        if unknown:
            msg = f"{task}: {name} has {', '.join(unknown)}. Give a list of these: {', '.join(KINDS)}."
            raise ValueError(msg)
