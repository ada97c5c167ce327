"""Turn the batches of a run into canonical windows: commit, normalize, and follow another run that was faster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from airflow_provider_interactions.errors import WindowSuperseded
from airflow_provider_interactions.extract.commit import commit_or_follow, read_newer
from airflow_provider_interactions.extract.split_window import drop_source, find_pieces, merge_for_xcom, split_run
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.persons import PersonIndex
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.normalize.policy import KEEP_ALL, Policy
from airflow_provider_interactions.rejects import SHARE

#: Normalizes one raw window, with its settings given already.
Finish = Callable[[Lake, Manifest], Manifest]

log = logging.getLogger(__name__)


def normalize_run(
    lake: Lake,
    batches: Sequence[Manifest],
    rejects_share: float | None = None,
    width: timedelta | None = None,
    keep_former: timedelta = timedelta(0),
    policy: Policy = KEEP_ALL,
    persons: PersonIndex | None = None,
) -> Manifest:
    """Commit the batches of a run and normalize them. Returns the manifest for the next step.

    Splits batches that were extracted for several windows at once, then commits and normalizes each window by itself.
    ``width`` overrides the width of the batches. ``policy`` says what becomes of personal data, and ``persons`` fills
    ``person_id``. Raises as ``commit_window`` and ``normalize`` do.
    """
    share = SHARE if rejects_share is None else rejects_share
    finish = partial(normalize, rejects_share=share, keep_former=keep_former, policy=policy, persons=persons)
    decided = batches[0].width if batches else None
    if decided is None:
        return normalize_current(lake, commit_or_follow(lake, batches), finish)
    return _normalize_pieces(lake, batches, width or decided, finish, persons)


def _normalize_pieces(
    lake: Lake, batches: Sequence[Manifest], width: timedelta, finish: Finish, persons: PersonIndex | None
) -> Manifest:
    try:
        if persons:
            persons.prepare(lake, batches)
        done = [normalize_current(lake, raw, finish) for raw in split_run(lake, batches, width)]
    except WindowSuperseded as superseded:  # an earlier try of this task has already split it
        pieces = find_pieces(lake, batches, width)
        if pieces is None:
            raise
        if persons:
            persons.prepare(lake, pieces)
        log.info("Only the windows that it was split into are left; normalizing them again (%s)", superseded)
        done = [normalize_current(lake, raw, finish) for raw in pieces]
    drop_source(lake, batches)
    return merge_for_xcom(batches, done, width)


def normalize_current(lake: Lake, raw: Manifest, finish: Finish) -> Manifest:
    """Normalize a raw window. If another run commits the window meanwhile, normalize that version."""
    while True:
        try:
            done = finish(lake, raw)
        except WindowSuperseded as superseded:
            raw = read_newer(lake, raw, superseded)
        else:
            _log_counts(done)
            return done


def _log_counts(done: Manifest) -> None:
    counts = done.counts
    log.info(
        "%s, window %s: %d landed = %d canonical + %d rejected + %d repeated",
        *(done.vendor, done.window, counts.landed, counts.canonical, counts.rejected, counts.repeated),
    )
