"""Secrets are made once, whole, and in the form that each server reads."""

import json
import stat

import pytest
from cryptography.fernet import Fernet

from docs.compose import make_secrets


def read(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_secrets_are_made_once_and_kept(tmp_path):
    names = make_secrets.make_secrets(tmp_path)
    first = read(tmp_path)
    assert set(names) == set(first) == {*make_secrets.FILES, *make_secrets.BUILT}
    assert make_secrets.make_secrets(tmp_path) == []
    assert read(tmp_path) == first


def test_no_two_secrets_are_equal(tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        make_secrets.make_secrets(tmp_path / name)
    values = [path.read_text() for path in tmp_path.glob("*/*") if path.name in make_secrets.FILES]
    assert len(set(values)) == len(values) == 2 * len(make_secrets.FILES)


@pytest.mark.parametrize("name", [*make_secrets.FILES, *make_secrets.BUILT])
def test_a_call_that_was_stopped_is_repeated_without_harm(tmp_path, name):
    make_secrets.make_secrets(tmp_path)
    first = read(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / f".{name}").write_text("half")
    assert name in make_secrets.make_secrets(tmp_path)
    after = read(tmp_path)
    kept = first.keys() - ({name} if name in make_secrets.FILES else set())
    assert {key: after[key] for key in kept} == {key: first[key] for key in kept}
    assert after.keys() == first.keys()


def test_only_the_group_of_the_containers_reads_them(tmp_path):
    make_secrets.make_secrets(tmp_path)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o440}


def test_every_reader_understands_its_file(tmp_path):
    make_secrets.make_secrets(tmp_path)
    made = read(tmp_path)
    Fernet(made["fernet_key"])
    assert len(made["jwt_secret"]) >= 64
    assert made["redis.conf"] == f"requirepass {made['redis_password']}"
    [identity] = json.loads(made["s3.json"])["identities"]
    assert identity["credentials"] == [{"accessKey": "airflow", "secretKey": made["s3_secret"]}]
    # They stand in addresses, so nothing in them may need to be escaped there.
    assert all(
        made[name].replace("-", "").replace("_", "").isalnum() for name in ("postgres_password", "redis_password")
    )
