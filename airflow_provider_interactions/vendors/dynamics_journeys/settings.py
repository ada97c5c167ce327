"""The settings of a connection, and which of the two routes they choose."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from airflow_provider_interactions.contract import Credentials
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.urls import check_url
from airflow_provider_interactions.vendors.shared import entra
from airflow_provider_interactions.vendors.shared.guids import spell_guid

NAME = "dynamics_journeys"

#: "onelake": a lakehouse's shortcuts. "dataverse": the managed lake, with the Dataverse connection alone.
Route = Literal["onelake", "dataverse"]

ONELAKE = "https://onelake.dfs.fabric.microsoft.com"


class Settings(entra.Settings, frozen=True, kw_only=True):
    """The connection's extra. Raises ConfigError if ``workspace`` and ``lakehouse`` are not both given, or do not fit.

    With them, the route is OneLake: ``schema`` is for a lakehouse with schemas, ``onelake_endpoint`` for a region.
    Without them, it is Dataverse: ``api_version`` is that of its Web API, and ``storage_endpoint`` replaces, in tests,
    the address of the storage that Dataverse names, and ``scope`` defaults to the organisation's URL + ``/.default``.
    """

    workspace: str | None = None
    lakehouse: str | None = None
    schema: str | None = None
    onelake_endpoint: str = ONELAKE
    storage_endpoint: str | None = None
    scope: str | None = None
    api_version: str = "v9.2"

    def __post_init__(self) -> None:
        given = [name for name in ("workspace", "lakehouse") if getattr(self, name)]
        if len(given) == 1 or (self.schema and not given):
            msg = (
                f"{NAME}: to read from OneLake, fill in workspace and lakehouse; to read from Dataverse, leave both "
                f"and schema empty. Filled in: {', '.join([*given, *(['schema'] if self.schema else [])])}."
            )
            raise ConfigError(msg)
        if given:
            _check_names(self.workspace or "", self.lakehouse or "")
        for name in ("onelake_endpoint", "storage_endpoint"):
            if getattr(self, name):
                check_url(getattr(self, name), f"{NAME}: the extra's {name}", allow_http=self.allow_http)

    @property
    def route(self) -> Route:
        """Where the tables are read from."""
        return "onelake" if self.workspace else "dataverse"


def locate_tables(settings: Settings) -> tuple[str, str]:
    """The container and the folder of a lakehouse's tables in OneLake.

    Source: "Connecting to Microsoft OneLake" (learn.microsoft.com/fabric/onelake, read 2026-11): the container is the
    workspace. By GUID the lakehouse stands for itself, by name it has the ending ``.Lakehouse``.
    """
    workspace, lakehouse = settings.workspace or "", settings.lakehouse or ""
    folder = lakehouse if spell_guid(lakehouse) else f"{lakehouse.removesuffix('.Lakehouse')}.Lakehouse"
    parts = [spell_guid(lakehouse) or folder, "Tables", *([settings.schema] if settings.schema else [])]
    return spell_guid(workspace) or workspace, "/".join(parts)


def choose_scope(credentials: Credentials[Settings]) -> str:
    """The audience of the token. OneLake takes tokens of the storage audience only (the same page)."""
    if credentials.settings.route == "onelake":
        return "https://storage.azure.com/.default"
    url = urlsplit(credentials.host)
    return credentials.settings.scope or f"{url.scheme}://{url.netloc}/.default"


def _check_names(workspace: str, lakehouse: str) -> None:
    if bool(spell_guid(workspace)) != bool(spell_guid(lakehouse)):
        msg = f"{NAME}: OneLake wants GUIDs for both workspace and lakehouse, or names for both."
        raise ConfigError(msg)
    for name, text in (("workspace", workspace), ("lakehouse", lakehouse)):
        if any(one in text for one in " /\\?#%"):
            msg = f"{NAME}: the name in {name} holds a character that an address cannot have. Use GUIDs instead."
            raise ConfigError(msg)
