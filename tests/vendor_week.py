"""A week of a vendor from the sandbox, through extract, normalize and load into a lake with its DuckDB file."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from airflow_provider_interactions import contacts
from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.extract import commit
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.http.rate_tuning import UNLIMITED, RateTuning
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.normalize import pipeline
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

WEEK = Window.of("2026-01-01", "2026-01-08")


def choose_contacts(sandbox, name):
    """Everyone of a bulk vendor, whose rows have more people than the sandbox's contacts; else those."""
    everyone = VENDORS[name].about.bulk_kind if VENDORS[name].bulk else None
    known = ["*"] if everyone else sandbox.contacts(name)
    return contacts.check_contacts(VENDORS[name], known, everyone)


def load_week(sandbox, name, lake, options):
    """Load the week, and its third day once more as of a day later."""
    vendor, known = VENDORS[name], sandbox.connections[name]
    fields = (known["host"], known.get("login", ""), known["password"])
    job = Job(
        vendor=vendor,
        credentials=build_credentials(vendor, *fields, extra={**known["extra"], "account": "acme"}),
        lake=Lake.at(str(lake)),
        window=WEEK,
        contacts=choose_contacts(sandbox, name),
        options=build_options(vendor, options),
        # No careful start: a run of ten requests would spend its time waiting.
        limits=Limits(rate=RateTuning(first_rate=UNLIMITED)),
        extracted_at=datetime(2026, 1, 8, 1, tzinfo=UTC),
    )
    again = replace(
        job, window=Window.of("2026-01-03", "2026-01-04"), extracted_at=job.extracted_at + timedelta(days=1)
    )
    for one in (job, again):
        manifest = pipeline.normalize(one.lake, commit.commit_window(one.lake, [extract(one)]))
        DuckDBTable(str(lake / "interactions.duckdb")).load(one.lake, manifest)
