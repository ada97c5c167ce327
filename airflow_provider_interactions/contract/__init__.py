"""The types that all layers share: a vendor, the queries to it, and its responses.

They are values: nothing here opens a socket or a file. ``http`` builds the ``Fetch`` for a vendor's generators, and
``extract`` runs the generators.

::

    settings   what a connection gives: Settings, Options, Credentials
    messages   Request, Response, Fetch; Auth and Token, which sign requests
    query      Contact, Query, Page; Mapped and Interaction, what becomes of records
    pace       Pace and PageRule: limits, and how many requests a query takes
    vendor     Vendor, and the defaults of its fields
    bulk       Bulk: vendors that keep everybody's interactions in tables
"""

from airflow_provider_interactions.contract.messages import Auth, Fetch, Request, Response, T, Token
from airflow_provider_interactions.contract.pace import MOST_EMPTY_PAGES, Pace, PageRule
from airflow_provider_interactions.contract.query import (
    Contact,
    ContactListing,
    Interaction,
    Mapped,
    Page,
    Pages,
    Query,
)
from airflow_provider_interactions.contract.settings import Credentials, Options, OptionsT, Settings, SettingsT
from airflow_provider_interactions.contract.vendor import (
    Vendor,
    answer_at_once,
    ask_once,
    classify_by_status,
    refuse_pages,
    spell_identifier,
)

__all__ = [
    "MOST_EMPTY_PAGES",
    "Auth",
    "Contact",
    "ContactListing",
    "Credentials",
    "Fetch",
    "Interaction",
    "Mapped",
    "Options",
    "OptionsT",
    "Pace",
    "Page",
    "PageRule",
    "Pages",
    "Query",
    "Request",
    "Response",
    "Settings",
    "SettingsT",
    "T",
    "Token",
    "Vendor",
    "answer_at_once",
    "ask_once",
    "classify_by_status",
    "refuse_pages",
    "spell_identifier",
]
