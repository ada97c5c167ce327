"""The sandbox from the shell: in the foreground, or for the time of one command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from airflow_provider_interactions import vendors
from airflow_provider_interactions.connection import read_credentials
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.sandbox import Sandbox, SandboxConfig, serve
from airflow_provider_interactions.sandbox.cli import format_banner, list_variables, main
from airflow_provider_interactions.shell.connections import build_connection
from airflow_provider_interactions.shell.exits import Exit
from airflow_provider_interactions.shell.session import Session, print_json
from airflow_provider_interactions.shell.sources import ContactChoice, Source, read_options


def run_sandbox(session: Session, arguments: Sequence[str]) -> None:
    """Serve an ordinary organisation until SIGINT or SIGTERM. For a machine, the line of JSON comes once it listens."""

    def announce(sandbox: Sandbox) -> None:
        if session.as_json:
            result = {"url": sandbox.url, "environment": list_variables(sandbox)}
            print_json(command=session.command, exit_code=int(Exit.OK), result=result, error=None)
            return
        session.say(format_banner(sandbox))
        first = sandbox.contacts("which50")[0]
        session.say("")
        session.say("next, in another terminal, after pasting the lines above:")
        session.say(f"interactions preview which50 --contact {first} --limit 20")

    try:
        main(["--realistic", *arguments], announce, program="interactions sandbox")
    except OSError as error:
        msg = f"The sandbox cannot listen there ({error.strerror}). Choose another --port, or 0 for any free one."
        raise ConfigError(msg) from error


@contextmanager
def open_sandbox(vendor: str, choice: ContactChoice, options: Sequence[str]) -> Iterator[tuple[Source, ContactChoice]]:
    """A sandbox of its own for one command, and its contacts if none were chosen."""
    found = vendors.find_vendor(vendor)
    with serve(SandboxConfig(realistic=True)) as sandbox:
        connection = build_connection(f"{vendor}_default", sandbox.connections[vendor])
        ids = choice.ids or (() if choice.file else sandbox.contacts(vendor))
        chosen = ContactChoice(ids, choice.file, choice.column, choice.kind)
        yield Source(found, read_credentials(found, connection), read_options(options)), chosen
