"""The command line: serve until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from airflow_provider_interactions.sandbox.config import SandboxConfig, parse_rate_limit
from airflow_provider_interactions.sandbox.server import Sandbox, serve

#: How the command is called, unless another one calls it.
PROGRAM = "python -m airflow_provider_interactions.sandbox"


def build_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """The arguments; defaults are those of `SandboxConfig`."""
    default = SandboxConfig()
    parse = argparse.ArgumentParser(prog=program, description=__doc__)
    parse.add_argument("--host", default=default.host, help="address to listen on (default: this machine only)")
    parse.add_argument("--port", type=int, default=default.port, help="0 takes any free port (default)")
    parse.add_argument("--seed", type=int, default=default.seed)
    parse.add_argument("--contacts", type=int, default=default.contacts)
    parse.add_argument("--start", default=default.start, help="first day, YYYY-MM-DD, UTC")
    parse.add_argument("--days", type=int, default=default.days)
    parse.add_argument("--per-contact", type=int, help="interactions of each contact (default: 0 to about 60)")
    parse.add_argument("--shapes", type=int, help="distinct histories (default: 16 with --per-contact, else all)")
    parse.add_argument("--realistic", action="store_true", help="names, texts and times of an ordinary organisation")
    parse.add_argument("--latency", type=float, default=default.latency, help="seconds")
    parse.add_argument("--rate-limit", type=parse_rate_limit, metavar="N/SECONDS")
    kinds = ("sliding_window", "token_bucket")
    parse.add_argument("--limiter", choices=kinds, default=kinds[0], help="what counts the requests")
    parse.add_argument("--burst", type=int, metavar="N", help="the most tokens in a bucket (default: the limit's N)")
    parse.add_argument("--refused-count", action="store_true", help="refused requests use up the limit too")
    parse.add_argument("--lengthen", type=float, default=0.0, metavar="SECONDS", help="per request during a pause")
    parse.add_argument("--news", type=float, default=0.0, metavar="SECONDS", help="until other tasks know of a refusal")
    parse.add_argument("--concurrency", type=int, help="requests in flight per vendor before 429")
    parse.add_argument("--set", action="append", default=[], metavar="VENDOR.OPTION=VALUE", dest="options")
    parse.add_argument("--faults", type=json.loads, default=[], metavar="JSON", help="a list of fault rules")
    parse.add_argument("--ready-file", type=Path, help='written once listening: {"url": …, "pid": …}')
    return parse


def read_options(settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Vendor options from ``vendor.option=value``; a value is JSON where it reads as such, else text."""
    options: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        vendor, _, option = name.partition(".")
        options.setdefault(vendor, {})[option] = _parse_value(value)
    return options


def _parse_value(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def read_config(arguments: argparse.Namespace) -> SandboxConfig:
    """The config that the arguments describe."""
    limit = arguments.rate_limit
    if limit is not None:
        limit = msgspec.structs.replace(
            limit,
            kind=arguments.limiter,
            burst=arguments.burst,
            refused_count=arguments.refused_count,
            lengthen_seconds=arguments.lengthen,
            news_seconds=arguments.news,
        )
    same = (
        *("host", "port", "seed", "contacts", "start", "days", "per_contact", "shapes", "realistic"),
        *("latency", "concurrency"),
    )
    values = {name: getattr(arguments, name) for name in same}
    return SandboxConfig(rate_limit=limit, options=read_options(arguments.options), **values)


def list_variables(sandbox: Sandbox) -> dict[str, str]:
    """Airflow's environment variables of the vendors' connections."""
    return {
        f"AIRFLOW_CONN_{name.upper()}_DEFAULT": json.dumps(connection, separators=(",", ":"))
        for name, connection in sandbox.connections.items()
    }


def format_banner(sandbox: Sandbox) -> str:
    """What a person needs to paste: connections as environment lines, and where the oracle answers."""
    lines = [f"sandbox at {sandbox.url}  (its own endpoints: {sandbox.url}/_sandbox)", ""]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in list_variables(sandbox).items()]
    lines += [
        "",
        "what exists:",
        *(f"{sandbox.url}/_sandbox/oracle/{name}?start=…&end=…" for name in sandbox.connections),
    ]
    return "\n".join(lines)


def write_ready_file(path: Path, sandbox: Sandbox) -> None:
    """Write a file that says where the sandbox listens, for scripts. It appears at once and whole."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps({"url": sandbox.url, "pid": os.getpid()}), encoding="utf-8")
    temporary.replace(path)


def print_banner(sandbox: Sandbox) -> None:
    """Print what a person needs to paste."""
    print(format_banner(sandbox), flush=True)


def main(
    arguments: Sequence[str] | None = None,
    announce: Callable[[Sandbox], None] = print_banner,
    program: str = PROGRAM,
) -> int:
    """Serve until SIGINT or SIGTERM. ``announce`` is called once the sandbox listens."""
    parsed = build_parser(program).parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with serve(read_config(parsed)) as sandbox:
        sandbox.faults(parsed.faults)
        announce(sandbox)
        if parsed.ready_file:
            write_ready_file(parsed.ready_file, sandbox)
        stop.wait()
    return 0
