"""What a connection gives: settings, credentials, and the options of an extraction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar
from urllib.parse import urlsplit

import msgspec

from airflow_provider_interactions.urls import spell_host

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    #: A vendor's own ``Settings`` and ``Options``. A ``Vendor`` without them may have any.
    SettingsT = TypeVarWithDefault("SettingsT", bound="Settings", default=Any)
    OptionsT = TypeVarWithDefault("OptionsT", bound="Options", default=Any)
else:
    SettingsT, OptionsT = TypeVar("SettingsT"), TypeVar("OptionsT")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of the connection's ``extra`` that every vendor has. Each vendor adds its own keys in a subclass.

    ``account`` is the organisation's name in paths and in the table (default: the host). ``allow_http`` allows a host
    with plain ``http://``, for a sandbox. ``verify_tls`` False accepts any certificate. ``concurrency`` (requests in
    flight) and ``requests_per_minute`` replace the vendor's documented limits, if your contract has others. ``policy``
    says what becomes of personal data (`normalize.policy_rules`).
    """

    account: str | None = None
    allow_http: bool | None = None
    verify_tls: bool | None = None
    concurrency: Annotated[int, msgspec.Meta(ge=1)] | None = None
    requests_per_minute: Annotated[float, msgspec.Meta(gt=0)] | None = None
    policy: dict[str, Any] | str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of an extraction. Each vendor adds its own in a subclass. ``page_size`` is in records."""

    page_size: Annotated[int, msgspec.Meta(ge=1)] | None = None


@dataclass(frozen=True, slots=True)
class Credentials(Generic[SettingsT]):
    """A checked connection. ``host`` is a full base URL without a trailing slash. The repr shows no secret."""

    host: str
    login: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    settings: SettingsT = field(default_factory=Settings, repr=False)  # type: ignore[assignment]

    @property
    def account(self) -> str:
        """The organisation's name in the lake and the table: the connection's ``account``, else the host and its path.

        The host is in lower case and without a default port, so all its spellings give the same account.
        """
        url = urlsplit(self.host)
        return self.settings.account or f"{spell_host(url)}{url.path}".rstrip("/")
