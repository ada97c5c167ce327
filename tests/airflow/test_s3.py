"""A lake on S3 by an address alone, with no provider of Airflow for it: keys and server from the environment."""

import logging

import boto3
import pytest
from moto.server import ThreadedMotoServer

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.runtime.lake_url import open_lake


@pytest.fixture
def s3(monkeypatch):
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-of-the-lake")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-lake")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("s3")
    client.create_bucket(Bucket="lakes")
    yield client
    server.stop()


def test_a_lake_on_s3_is_found_by_its_address(s3):
    lake = open_lake("s3://lakes/some/folder/")
    lake.publish("manifests/window.json", {"rows": 1})
    assert s3.get_object(Bucket="lakes", Key="some/folder/manifests/window.json")["Body"].read() == b'{"rows":1}'
    assert lake.url("raw") == "s3://lakes/some/folder/raw"
    s3.put_object(Bucket="lakes", Key="some/folder/manifests/other.json", Body=b"{}")
    assert lake.list_names("manifests") == ["other.json", "window.json"]


def test_a_connection_in_the_address_needs_its_provider():
    with pytest.raises(
        ConfigError, match=r"An address with a connection \(@\) also needs Airflow's provider for that scheme"
    ):
        open_lake("s3://aws_default@lakes/some/folder")
