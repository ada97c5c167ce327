"""The base class of all hooks. It turns an Airflow Connection into Credentials, and uses them.

The import of this module is cheap: methods import the HTTP libraries when they need them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from airflow_provider_interactions import vendors
from airflow_provider_interactions.connection import build_options, read_credentials
from airflow_provider_interactions.contract import Auth, Credentials, Interaction, Response, Token, Vendor
from airflow_provider_interactions.errors import ConfigError, InteractionsError, RecordRejected
from airflow_provider_interactions.window import Instant, Window

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_interactions.http.requests_session import VendorSession

#: The shortest text that Airflow masks. It logs a warning for shorter ones, because they would hide half of a log.
SHORTEST_SECRET = 5


class InteractionsHook(BaseHook):
    """A vendor, by the id of an Airflow connection. The hook reads the connection once, when it first needs it.

    ``vendor`` is a registry name. Without it, the connection's type decides.
    """

    conn_name_attr: ClassVar[str] = "conn_id"
    default_conn_name: ClassVar[str] = ""
    conn_type: ClassVar[str] = ""
    hook_name: ClassVar[str] = "Interactions"

    def __init__(
        self, conn_id: str | None = None, *, vendor: str | None = None, logger_name: str | None = None
    ) -> None:
        super().__init__(logger_name=logger_name)
        self._vendor = vendor or self.conn_type
        self.conn_id = conn_id or self.default_conn_name or f"{self._vendor}_default"

    @cached_property
    def connection(self) -> Connection:
        """The Airflow connection; raises AirflowNotFoundException if it does not exist."""
        return self.get_connection(self.conn_id)

    @cached_property
    def vendor(self) -> Vendor:
        """The vendor. Its tokens and secrets are masked in Airflow's logs. Raises ConfigError for an unknown one."""
        return mask_vendor(vendors.find_vendor(self._vendor or str(self.connection.conn_type)))

    @cached_property
    def credentials(self) -> Credentials:
        """The connection's fields, checked. Raises ConfigError that names the wrong field."""
        vendors.require_type(self.vendor, self.conn_id, self.connection.conn_type)
        return read_credentials(self.vendor, self.connection)

    def get_conn(self) -> VendorSession:
        """A ``requests.Session`` that signs calls, for any endpoint of the vendor. URLs may be paths on its host."""
        from airflow_provider_interactions.http.requests_session import open_session

        return open_session(self.vendor, self.credentials)

    def interactions(
        self,
        contact_id: str,
        window: Window | None = None,
        *,
        start: Instant | None = None,
        end: Instant | None = None,
        kind: str | None = None,
        on_reject: Callable[[bytes, RecordRejected], None] | None = None,
        **options: Any,
    ) -> Iterator[Interaction]:
        """All interactions of one contact in a window, without repeats, in the vendor's order.

        Give a Window, or ``start`` and ``end`` (aware datetimes, or ISO 8601 text with a zone). ``kind`` is the kind of
        the identifier; ``options`` are the vendor's. If a record is unreadable, or has the id of another one, the
        generator calls ``on_reject`` with its bytes and the error; without ``on_reject``, it raises RecordRejected.
        Wrong arguments raise ConfigError at once. Errors of the vendor (VendorError) are raised while you iterate. Do
        not use this method inside an event loop.
        """
        span = window or Window.of(*_require_both(start, end))
        person = self.vendor.contact(contact_id, kind or self.vendor.contact_kinds[0])
        from airflow_provider_interactions.extract.job import Job
        from airflow_provider_interactions.lake.storage import Lake
        from airflow_provider_interactions.normalize.stream import stream_interactions

        nowhere = Lake.at("memory://")  # nothing is written
        chosen = build_options(self.vendor, options)
        job = Job(self.vendor, self.credentials, nowhere, span, [person], chosen)
        return stream_interactions(job, on_reject or _refuse)

    def test_connection(self) -> tuple[bool, str]:
        """Send the vendor's cheapest request. Returns whether it worked, and a sentence that says what to correct."""
        from airflow_provider_interactions.extract.table_probe import probe_connection

        try:
            return True, probe_connection(self.vendor, self.credentials)
        except InteractionsError as error:
            return False, str(error)


def name_hook(vendor: str) -> tuple[str, str, str]:
    """The attributes that Airflow reads from a hook: connection type, default connection, title."""
    return vendor, f"{vendor}_default", vendors.read_about(vendor).title


def mask_vendor(vendor: Vendor) -> Vendor:
    """The same vendor. Airflow masks its secrets and tokens in logs as soon as the task has them."""
    return replace(vendor, auth=lambda credentials: _mask_auth(vendor.auth(credentials)))


def _mask_auth(auth: Auth) -> Auth:
    mask(*auth.secrets)
    read, acquire = auth.read, auth.acquire
    return replace(
        auth,
        read=None if read is None else lambda response: _hide_token(read, response),
        acquire=None if acquire is None else lambda: _hide_token(acquire),
    )


def _hide_token(make: Callable[..., Token], *response: Response) -> Token:
    token = make(*response)
    mask(token.value)
    return token


def mask(*secrets: str) -> None:
    """Mask these texts in Airflow's logs, except those that are too short to mask."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            mask_secret(secret)


def _require_both(start: Instant | None, end: Instant | None) -> tuple[Instant, Instant]:
    if start is None or end is None:
        msg = "Give a window, or both start and end, for example start='2026-01-01', end='2026-02-01'."
        raise ConfigError(msg)
    return start, end


def _refuse(_: bytes, rejection: RecordRejected) -> None:
    raise rejection
