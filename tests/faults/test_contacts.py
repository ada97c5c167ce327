"""One contact that is not there costs one contact; credentials that are wrong cost one request."""

import pytest
import rig

from airflow_provider_interactions.errors import AuthRejected, ContactError
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.sandbox import SandboxConfig, serve


@pytest.fixture(scope="module")
def crowd():
    options = {**rig.WORLDS, "dynamics_marketing": {"types": ["EmailSent"]}}
    with serve(SandboxConfig(contacts=500, start=rig.START, days=rig.DAYS, per_contact=2, options=options)) as found:
        yield found


def spec_of(crowd, vendor, folder, **changed):
    crowd.reset()
    options = {"types": ["EmailSent"]} if vendor == "dynamics_marketing" else {}
    return rig.spec(crowd, vendor, folder, options=options, **changed)


def test_one_contact_of_five_hundred_is_missing(crowd, vendor, tmp_path):
    """The last 499 are delivered and the one is listed, whatever place it has."""
    spec = spec_of(crowd, vendor, tmp_path)
    known = spec["contacts"]
    listed = [*known[:250], rig.CASES[vendor].unknown, *known[251:]]
    raw, canonical = rig.run({**spec, "contacts": listed})
    outcomes = {row["contact_id"]: row for row in rig.rows(rig.lake_of(spec), raw.outcomes).to_pylist()}
    assert len(outcomes) == canonical.counts.contacts == 500
    row = outcomes[rig.CASES[vendor].unknown]
    assert row["outcome"] == "not_found"
    assert "there is no such" in row["reason"]
    gone = [name for name, found in outcomes.items() if found["outcome"] not in ("ok", "empty")]
    assert gone.count(rig.CASES[vendor].unknown) == 1
    assert vendor == "capillary" or len(gone) == 1  # its sandbox knows a part of its contacts only
    rows = rig.seen(spec)[1].to_pylist()
    missing = crowd.oracle(vendor, rig.WHOLE.start, rig.WHOLE.end, contact=known[250]).interactions
    assert len(rows) == rig.ask_oracle(crowd, vendor)[0] - missing > 400
    assert rig.CASES[vendor].unknown not in {row["contact_id"] for row in rows}


def test_one_contact_that_is_missing_can_end_the_run(crowd, vendor, tmp_path):
    spec = spec_of(crowd, vendor, tmp_path, on_missing="fail")
    contacts = [rig.CASES[vendor].unknown, *spec["contacts"]]
    with pytest.raises(ContactError) as told:
        extract(rig.job_of({**spec, "contacts": contacts}))
    assert rig.CASES[vendor].unknown not in str(told.value)
    assert crowd.stats()[vendor]["requests"] < 100


@pytest.mark.parametrize("concurrency", [1, None, 100])
def test_wrong_credentials_for_five_hundred_contacts(crowd, vendor, tmp_path, concurrency):
    """One token request where there are tokens; else one call, and nobody is locked out."""
    spec = spec_of(crowd, vendor, tmp_path, password="not-the-password", concurrency=concurrency)
    with pytest.raises(AuthRejected) as told:
        extract(rig.job_of(spec))
    assert not told.value.retry
    assert "not-the-password" not in str(told.value)
    assert "window [2026-01-01T00:00:00Z, 2026-01-04T00:00:00Z)" in str(told.value)
    stats = crowd.stats()[vendor]
    assert stats["requests"] == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_credentials_that_are_revoked_in_the_middle(crowd, vendor, tmp_path):
    """What had landed is kept for the next try; this one ends at once and says why."""
    spec = spec_of(crowd, vendor, tmp_path, resume="run", concurrency=4)
    refusal = {"status": 403, "code": "3"} if vendor == "luminate_online" else {"status": 401}
    crowd.faults([{"kind": "status", "vendor": vendor, "after": 300, **refusal}])
    with pytest.raises(AuthRejected):
        extract(rig.job_of(spec))
    assert crowd.stats()[vendor]["requests"] < 320
    crowd.faults([])
    rig.run(spec)
    assert rig.describe_rows(rig.seen(spec)[1]) == rig.ask_oracle(crowd, vendor)
