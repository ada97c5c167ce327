"""What every vendor's records cost: from raw to canonical rows, and from the vendor to the canonical table."""

import tempfile
from pathlib import Path

from tests.bench.plain import PER_CONTACT, SAMPLES
from tests.bench.processes import count_turns, environment, run, sandbox

#: Rows a CPU second of normalize, by format.
LEAST = {"json": "≥ 150,000", "xml": "≥ 50,000"}

#: The jobs that make raw windows.
DATA = {"the sandbox's data": ("every_type", "jobs"), "plain ASCII data": ("plain_window", "stages")}

#: Options of the sandbox with which 500 interactions of a contact are 500 rows of one response.
ONE_RESPONSE = ("--set", 'dynamics_marketing.types=["EmailSent"]', "--set", 'capillary.types=["email"]')


def normalize(share):
    """Raw windows of each vendor and format to canonical ones."""
    rows = int(100_000 * share)
    with sandbox("--contacts", rows // PER_CONTACT, "--per-contact", PER_CONTACT, "--days", 1) as url:
        for name, form in SAMPLES:
            with tempfile.TemporaryDirectory() as folder:
                for data, made in DATA.items():
                    env = environment(url, Path(folder, made[0]), name=name, **_choose_format(name, form))
                    env |= {"BENCH_FORMAT": form, "BENCH_ROWS": str(rows)}
                    run(made[0], env, made[1])
                    found = run("normalize", env, "stages").said
                    yield _normalize_row(f"{name} {form}, {data}", found, LEAST[form])


def _choose_format(name, form):
    return {} if name in {"dynamics_marketing", "capillary"} else {"response_format": form}


def _normalize_row(name, found, limit):
    rejected = f", {found['rejected']:,} of them rejected" if found["rejected"] else ""
    measured = f"{found['rows'] / found['cpu']:,.0f} (Parquet alone: {found['rows'] / found['least']:,.0f})"
    return f"normalize, rows a CPU second: {name}, {found['rows']:,} rows{rejected}", measured, limit


def vendors(share):
    """End to end, and extraction alone, beside clients written by hand, in the same run by turns."""
    contacts = int(2000 * share)
    with sandbox("--contacts", contacts, "--per-contact", PER_CONTACT, "--days", 1, *ONE_RESPONSE) as url:
        for name, form in SAMPLES:
            if form == "json":
                yield from _vendor_rows(url, name, contacts, count_turns(share))


def _vendor_rows(url, name, contacts, turns):
    jobs = {"whole": "jobs", "tables": "handwritten", "landed": "jobs", "bodies": "handwritten"}
    found = {job: [] for job in jobs}
    with tempfile.TemporaryDirectory() as folder:
        env = environment(url, Path(folder, "warm"), name=name, **_choose_format(name, "json"))
        for job in ("bodies", "landed"):  # the sandbox makes its responses once, to each way of asking
            run(job, env, jobs[job])
        for n in range(turns):
            for job, module in jobs.items():
                found[job].append(run(job, {**env, "BENCH_LAKE": f"{folder}/{job}-{n}"}, module))
    rows, said = contacts * PER_CONTACT, found["whole"][0].said
    assert said["rows"] == found["tables"][0].said == rows, (said, found["tables"][0].said, rows)
    whole, tables, landed, bodies = (min(found[job], key=lambda one: one.cpu) for job in jobs)
    what, peak = f"{name} json, {rows:,} interactions, ", max(one.peak for one in found["whole"])
    measured = f"{whole.cpu / tables.cpu:.2f} × ({_describe(whole)} against {_describe(tables)})"
    yield f"{what}end to end: CPU against the hand-written client", measured, "≤ 1.3 ×"
    yield f"{what}end to end: peak memory", f"{peak:.0f} MB", "< 400 MB"
    yield f"{what}requests a contact", f"{said['requests'] / contacts:.3f}", "≤ 1.02"
    measured = f"{landed.cpu / bodies.cpu:.2f} × ({_describe(landed)} against {_describe(bodies)})"
    yield f"{what}extraction: CPU against downloading alone", measured, "≤ 1.5 ×"


def _describe(one):
    return f"{one.wall:.1f} s, {one.cpu:.1f} s of CPU, {one.peak:.0f} MB"


def profile(share):
    """Which functions take most of the time, the profiler's own cost included."""
    contacts = int(400 * share)
    with sandbox("--contacts", contacts, "--per-contact", PER_CONTACT, "--days", 1, *ONE_RESPONSE) as url:
        for name, form in SAMPLES:
            with tempfile.TemporaryDirectory() as folder:
                env = environment(url, Path(folder, "lake"), name=name, **_choose_format(name, form))
                for stage, shares in run("profile", env, "stages").said.items():
                    spent = "; ".join(f"{what} {part:.0f} %" for what, part in shares)
                    yield f"{name} {form}, {stage}, by function", spent, ""
