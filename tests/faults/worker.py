"""A process that forks one child for each command, which may be killed: starting Python anew would cost a second each.

Commands come as JSON lines, answers go out as JSON lines: how the child ended, and what it told before.

{"steps": ["extract", "publish", "normalize"], "spec": {…}, "die": {"at": 7, "on": "file"}, …}
"""

import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import rig
from disks import Fate

from airflow_provider_interactions import contacts
from airflow_provider_interactions.errors import InteractionsError
from airflow_provider_interactions.extract import commit, held_pages, open_contacts, raw_table, retention, run, timers
from airflow_provider_interactions.http import client
from airflow_provider_interactions.lake import manifest, reader, swap
from airflow_provider_interactions.lake.paths import AccountPaths
from airflow_provider_interactions.load import load_window
from airflow_provider_interactions.normalize import parts
from airflow_provider_interactions.normalize import pipeline as normalize_pipeline
from airflow_provider_interactions.person import erasure
from airflow_provider_interactions.vendors import VENDORS


def perform(command):
    """The steps of a command, each fed by the one before; returns what they leave to tell."""
    fate = _fate(command)
    job, found, now = rig.job_of(command["spec"], fate), None, command.get("now")
    fate.steps = 0
    for step in command["steps"]:
        if step == "extract":
            found = [run.extract(job)]
        elif step == "publish":
            found = commit.commit_window(job.lake, found or [manifest.unpack(one) for one in command["manifests"]])
        elif step in PARTS:
            found = PARTS[step](job.lake, command)
        elif step in OTHERS:
            more = OTHERS[step](job, command)
            if len(command["steps"]) == 1:
                return {"steps": fate.steps, **(more or {})}
        else:
            raw = found or reader.read_published(job.lake, job.place.raw_manifest)[0]
            found = normalize_pipeline.normalize(job.lake, raw, now=datetime.fromisoformat(now) if now else None)
    found = found if isinstance(found, list) else [found]
    return {"manifest": manifest.pack(found[0]), "manifests": list(map(manifest.pack, found)), "steps": fate.steps}


def _erase(job, command):
    """Erase people of the job's vendor, or of several, given by vendor, as the operator does; also from targets."""
    several = isinstance(command["erase"], dict)
    gone = command["erase"] if several else {job.vendor.name: command["erase"]}
    kind = command["spec"]["kind"]
    people = {name: [VENDORS[name].contact(text, kind) for text in texts] for name, texts in gone.items()}
    more = {"now": datetime.fromisoformat(command["now"])} if "now" in command else {}
    name, tables = command.get("name", "mine"), open_targets(command.get("targets", {}))
    erasure.erase_people(job.lake, people, tables, approved_by="Ada", name=name, keep=several, **more)


def open_targets(places):
    """Tables by the names of their cases in ``tests/targets/cases.py``."""
    from tests.targets import cases

    return [getattr(cases, name).open(place) for name, place in places.items()]


def _fill(job, command):
    """Extract, publish, normalize and load windows, given by their specs: once, or again and again until told so."""
    tables, stop = open_targets(command["targets"]), command.get("stop")
    done = Counter()
    while not done or (stop and not Path(stop).exists()):
        for spec in command["fill"]:
            try:
                done.update(_fill_one(spec, tables, command))
            except InteractionsError as refused:  # Airflow would try again
                done[type(refused).__name__] += 1
    return done


def _fill_one(spec, tables, command):
    at = datetime.fromisoformat(command["now"]) if "now" in command else datetime.now(UTC)
    job = rig.job_of({**spec, "extracted_at": at.isoformat()})
    raw = commit.commit_window(job.lake, [run.extract(job)], at)
    # Files of former versions stay, because an Iceberg table has them until the next load.
    done = normalize_pipeline.normalize(job.lake, raw, now=at, keep_former=timedelta(days=1))
    loaded = [load_window(job.lake, done, table)[1].rows for table in tables]
    return {"windows": 1, "rows": sum(loaded), "suppressed": raw.counts.suppressed}


def _sweep(job, command):
    """Remove what is older than the command's days from all layers."""
    account = AccountPaths(job.vendor.name, job.credentials.account)
    return retention.sweep(job.lake, account, ALL_LAYERS, datetime.fromisoformat(command["now"]))


#: What a sweep removes.
ALL_LAYERS = retention.Retention(raw=10, canonical=10, history=10, rejects=10, requests=10, contacts=10)


def _list(job, _):
    contacts.write_list(job.lake, job.place, [job.contacts], job.extracted_at)


def _wake(_, command):
    """Wake a process, whenever it stops, until it has ended."""
    with suppress(ProcessLookupError):
        for _ in range(300):
            time.sleep(0.2)
            os.kill(command["wake"], signal.SIGCONT)


#: Steps of which nothing is passed on.
OTHERS = {"erase": _erase, "fill": _fill, "list": _list, "sweep": _sweep, "wake": _wake}


def _unpack(command, name):
    return [manifest.unpack(one) for one in command[name]]


def _split(lake, command):
    return parts.commit_and_split(lake, _unpack(command, "manifests"), 1)


def _normalize_part(lake, command):
    [part] = _unpack(command, "manifests")
    return parts.normalize_split(lake, part, datetime.fromisoformat(command["now"]))


def _publish_parts(lake, command):
    now = datetime.fromisoformat(command["now"])
    return parts.publish_parts(lake, _unpack(command, "split"), _unpack(command, "manifests"), None, timedelta(0), now)


#: The tasks that normalize a window in parts.
PARTS = {"split": _split, "part": _normalize_part, "join": _publish_parts}


def _fate(command):
    die, rest = command.get("die", {}), Fate(room=command.get("room"))
    fate = Fate(die["at"], die.get("how", "KILL"), command.get("room")) if die else rest
    if die.get("how") == "TERM":  # as Airflow does it: an exception, wherever the program is
        signal.signal(signal.SIGTERM, _terminate)
    raw_table.PART_ROWS = command.get("part_rows", raw_table.PART_ROWS)
    if "held_rows" in command:
        held_pages.HELD_ROWS = held_pages.HELD_ENCRYPTED = command["held_rows"]
    open_contacts.MEMORY_BYTES = command.get("memory", open_contacts.MEMORY_BYTES)
    if "every" in command:
        timers.EVERY, timers.SHARE = command["every"], 0.0
    if command["spec"]["disk"] in STORES:
        STORES[command["spec"]["disk"]](fate)
    if "ring" in command["spec"]:
        on_keys(fate)
    if "fsize" in command:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (command["fsize"], command["fsize"]))
    if die.get("on") == "request":
        send = client.Client._send

        async def count_steps(self, request):
            fate.step()
            return await send(self, request)

        client.Client._send = count_steps
        return rest
    return fate


def on_keys(fate):
    """A change of a file of keys is an operation, and so is the moment after it."""
    replace_file = swap.LocalObject.swap

    def count_steps(self, data, version):
        fate.step()
        done = replace_file(self, data, version)
        fate.step()
        return done

    swap.LocalObject.swap = count_steps


def on_s3(fate):
    """Every call that changes something is an operation, and so is the moment after it, when nobody knows yet."""
    from s3fs import S3FileSystem

    call = S3FileSystem._call_s3

    async def count_steps(self, method, *arguments, **more):
        changes = not method.startswith(("get_", "head_", "list_"))
        if changes:
            fate.step()
        answer = await call(self, method, *arguments, **more)
        if changes:
            fate.step()
        return answer

    S3FileSystem._call_s3 = count_steps


def on_azure(fate):
    """The same of every request to Azure."""
    from azure.core.pipeline.transport import AioHttpTransport

    send = AioHttpTransport.send

    async def count_steps(self, request, **more):
        changes = request.method not in {"GET", "HEAD"}
        if changes:
            fate.step()
        answer = await send(self, request, **more)
        if changes:
            fate.step()
        return answer

    AioHttpTransport.send = count_steps


def on_gcs(fate):
    """The same of every request to Google."""
    from gcsfs import GCSFileSystem

    send = GCSFileSystem._request

    async def count_steps(self, method, *arguments, **more):
        if method != "GET":
            fate.step()
        answer = await send(self, method, *arguments, **more)
        if method != "GET":
            fate.step()
        return answer

    GCSFileSystem._request = count_steps


#: How to count the operations of an object store, by the kind of disk in the spec.
STORES = {"s3": on_s3, "azure": on_azure, "gcs": on_gcs}

#: What a store's client is imported as: once, and not in each child.
CLIENTS = {"s3": "s3fs", "azure": "adlfs", "gcs": "gcsfs"}

#: The same of targets.
TARGETS = [f"airflow_provider_interactions.load.{name}" for name in ("duckdb", "postgres", "iceberg")]


def _terminate(*_):
    sys.exit(143)


def child(command):
    """Run a command and tell how it went, in the file it names; never returns."""
    out = Path(command["out"])
    try:
        answer = perform(command)
    except InteractionsError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    except SystemExit:
        answer = {"error": "SystemExit"}
    except BaseException:
        answer = {"error": "unforeseen", "message": traceback.format_exc()}
    out.write_text(json.dumps(answer))
    os._exit(0)


def start(command):
    """The child's process id."""
    pid = os.fork()
    if pid == 0:
        child(command)
    return pid


def wait_for_end(pid):
    """Wait for a child; returns the signal that ended it, 0 for none."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main():
    """One line in, two lines out, until there is no more."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # stamina may log there
    for line in sys.stdin:
        commands = json.loads(line)
        for disk in CLIENTS.keys() & {one["spec"]["disk"] for one in commands}:
            import_module(CLIENTS[disk])
        if any("targets" in one for one in commands):
            for module in TARGETS:
                import_module(module)
        pids = [start(command) for command in commands]
        tell(out, pids)
        tell(out, [wait_for_end(pid) for pid in pids])


def tell(out, value):
    """One line out."""
    out.write(json.dumps(value) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
