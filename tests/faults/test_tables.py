"""A bulk vendor's extraction dies anywhere, and the next try publishes the rows of an undisturbed one."""

import pytest
import rig
from test_resume import OFTEN, dies, points, swept

from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.sandbox import SandboxConfig, serve

VENDOR = "dynamics_journeys"

#: Each table is read alike: with all of them, a run takes a minute.
TYPES = {"types": ("EmailSent", "EmailClicked", "FormSubmitted")}


@pytest.fixture(scope="module", params=["onelake", "csv"])
def journeys(request):
    """A sandbox with Delta in OneLake, or with CSV in Dataverse's managed lake."""
    route = {} if request.param == "onelake" else {"route": "dataverse", "format": "csv"}
    options = {VENDOR: {**TYPES, **route}}
    with serve(SandboxConfig(contacts=8, start=rig.START, days=rig.DAYS, options=options)) as sandbox:
        yield sandbox


def spec(sandbox, lake, **changed):
    return rig.spec(sandbox, VENDOR, lake, contacts=["*"], kind="everyone", options=TYPES, resume="run", **changed)


def read_rows(one):
    """The rows of a published raw window in an order of their own: every table's files have one."""
    lake, raw = rig.lake_of(one), rig.seen(one, "raw")[0]
    rows = rig.rows(lake, raw.files).to_pylist()
    assert raw.counts.landed == len(rows)
    return sorted(rows, key=lambda row: (row["asked_type"], row["payload"], row["context"]))


def test_killed_at_any_file_operation(process, journeys, tmp_path):
    whole = spec(journeys, tmp_path / "undisturbed")
    told = process.run(whole, "extract", "publish", **OFTEN)
    lake, raw = rig.lake_of(whole), rig.seen(whole, "raw")[0]
    rows = rig.rows(lake, normalize(lake, raw, rejects_share=1).files)  # the sandbox has many rows without a person
    assert rig.describe_rows(rows) == rig.ask_oracle(journeys, VENDOR)
    died = 0
    for at in points(told["steps"], 6):
        mine = spec(journeys, tmp_path / f"{at}")
        died += dies(process, mine, at)
        process.run(mine, "extract", "publish", **OFTEN)
        assert read_rows(mine) == read_rows(whole)
        assert swept(mine) == rig.seen(mine, "raw")[0].paths
    assert died >= 5
