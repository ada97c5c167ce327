"""The managed lake's folder: it is the one of the interactions, or an error; never the first one that comes."""

import asyncio
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import BadResponse, RequestRejected
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.vendors.dynamics_journeys.errors import FOLDER
from airflow_provider_interactions.vendors.dynamics_journeys.managed_lake import open_access

JOURNEYS = VENDORS["dynamics_journeys"]


def find_root(listed):
    """The address of the tables where Dataverse lists these folders."""
    bodies = {
        "datalakefolders": listed,
        "synapselinkprofiles": {"value": []},
        "RetrieveAnalyticsStoreDetails": {"AnalyticsStoreDetails": {"Endpoint": "https://lake.example/box"}},
        "RetrieveAnalyticsStoreAccess": {"SASToken": "sig=x"},
    }

    async def fetch(request, decode):
        body = bodies[re.search(r"/(\w+)[^/]*$", request.url)[1]]
        return decode(Response(200, {}, body if isinstance(body, bytes) else json.dumps(body).encode()))

    settings = build_credentials(JOURNEYS, "https://org.example", "i", "s", {"tenant_id": "t"}).settings
    return asyncio.run(open_access(fetch, settings)).root


folders = st.fixed_dictionaries(
    {"path": st.sampled_from(["one", "two/", "/two", ""])},
    optional={"name": st.sampled_from([FOLDER, FOLDER.upper(), "Insights", None])},
)


@given(st.lists(folders, max_size=4))
def test_the_folder_is_the_only_one_of_its_name(rows):
    named = [row for row in rows if (row.get("name") or FOLDER).lower() == FOLDER.lower()]
    paths = {row["path"].strip("/") for row in named}
    if len(paths) == 1 and "" not in paths:
        assert find_root({"value": rows}) == f"az://box/{paths.pop()}"
    else:
        with pytest.raises(BadResponse if paths == {""} else RequestRejected, match="folder") as found:
            find_root({"value": rows})
        assert ("several" in str(found.value)) == (len(paths) > 1)


@pytest.mark.parametrize(
    "listed",
    [
        {},
        {"value": None},
        {"value": {}},
        {"value": [{"name": FOLDER}]},
        {"value": [[{"path": "one"}]]},
        {"Value": [{"path": "one"}]},
        b"",
        b"<html>",
        {"value": [{"path": 1}]},
    ],
    ids=str,
)
def test_a_list_in_another_shape_is_not_an_absent_folder(listed):
    with pytest.raises(BadResponse):
        find_root(listed)


def test_a_list_with_another_page_may_have_another_folder():
    with pytest.raises(RequestRejected, match="several"):
        find_root({"value": [{"path": "one", "name": FOLDER}], "@odata.nextLink": "https://org.example/x"})
