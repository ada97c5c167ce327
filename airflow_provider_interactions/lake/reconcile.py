"""Check that the counts of a manifest add up, and that its files hold as many rows."""

from __future__ import annotations

from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.lake.manifest import OUTCOMES, Manifest, count_rows


def reconcile(manifest: Manifest) -> None:
    """Check that each record of a raw window is accounted for and in its files. Raises Unreconciled with the counts."""
    counts = manifest.counts
    checks = {
        "received = outside + undated + fetched": (counts.received, counts.outside + counts.undated + counts.fetched),
        "undated = rows of their files": (counts.undated, count_rows(manifest.undated)),
        "fetched = landed": (counts.fetched, counts.landed),
        "landed = rows of the files": (counts.landed, count_rows(manifest.files)),
        f"contacts = {' + '.join(OUTCOMES)}": (counts.contacts, sum(getattr(counts, name) for name in OUTCOMES)),
        "contacts = rows of the outcomes": (counts.contacts, count_rows(manifest.outcomes)),
    }
    _check(checks)


def reconcile_normalized(raw: Manifest, manifest: Manifest) -> None:
    """The same for a normalized window: each landed record is canonical, rejected or repeated, and in its files."""
    reconcile(raw)
    counts = manifest.counts
    checks = {
        "landed = canonical + rejected + repeated": (
            counts.landed,
            counts.canonical + counts.rejected + counts.repeated,
        ),
        "canonical = rows of the files": (counts.canonical, count_rows(manifest.files)),
        "rejected = rows of the rejects": (counts.rejected, count_rows(manifest.rejects)),
    }
    _check(checks)


def _check(checks: dict[str, tuple[int, int]]) -> None:
    wrong = [f"{name} ({left} ≠ {right})" for name, (left, right) in checks.items() if left != right]
    if wrong:
        msg = f"Counts do not add up, so nothing was published: {'; '.join(wrong)}. Please report this as a defect."
        raise Unreconciled(msg)
