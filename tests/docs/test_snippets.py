"""Every command and every piece of Python on the pages: run, or where that needs a vendor or an index, taken apart."""

import importlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import requests
import yaml

from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.lake.keys import read_hash_keys
from airflow_provider_interactions.normalize.policy_rules import read_key
from airflow_provider_interactions.provider_info import get_provider_info
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.shell.connections import Connection
from airflow_provider_interactions.vendors import VENDORS
from tests.terminal import Shell

REPOSITORY = Path(__file__).parents[2]
KNOWN = {"bash", "python", "sql", "yaml"}
#: Variables that Airflow and the C library read.
FOREIGN = {
    *("AIRFLOW_HOME", "AIRFLOW__CORE__LOAD_EXAMPLES", "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"),
    *("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "ARROW_DEFAULT_MEMORY_POOL"),
    # those of the dbt project, which tests/models checks, and Cosmos
    *(
        "INTERACTIONS_DUCKDB",
        "INTERACTIONS_POSTGRES",
        "INTERACTIONS_DBT",
        "INTERACTIONS_DBT_PROJECT",
        "INTERACTIONS_DBT_TARGET",
    ),
    "AIRFLOW__COSMOS__ENABLE_TELEMETRY",
    "AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES",
}


def test_every_block_is_in_a_language_that_is_checked(tools):
    written = {name: tools.make.PART.sub("", page) for name, page in tools.pages.items()}
    fences = {name: re.findall(r"^```(\w*)$", page, re.MULTILINE) for name, page in written.items()}
    assert {language for found in fences.values() for language in found} <= KNOWN | {""}
    for name, found in fences.items():
        opened, closed = found[::2], found[1::2]
        assert set(closed) <= {""}, name
        assert "" not in opened, f"{name}: a block without a language is not checked"


# Python


@pytest.mark.language("python")
def test_python(block, tools, answers):
    compile(block.text, block.name, "exec")
    if block.mark not in tools.no_airflow:
        assert answers[block.name] is None, answers[block.name]


@pytest.fixture(scope="module")
def answers(in_airflow):
    """What the process that has Airflow in it found about snippets and commands."""
    output = in_airflow.wait_for_output()
    assert in_airflow.process.returncode == 0, output
    return json.loads(Path(in_airflow.folder, "answers.json").read_text())


@pytest.mark.language("yaml")
def test_yaml(block):
    assert yaml.safe_load(block.text)


# Commands


@pytest.mark.language("bash")
def test_commands(block, tools, answers, shared_sandbox):
    for words in tools.commands(block.text):
        check = next((check for start, check in CHECKS.items() if " ".join(words).startswith(start)), None)
        assert check, f"nobody checks {words[0]}: write how"
        check(words, answers, shared_sandbox)


def check_export(words, _answers, served):
    for word in words[1:]:
        name, _, value = word.partition("=")
        if "SUPPRESSION" in name:  # commands of the page need the key
            served.shell.environment[name] = value.replace("…", "x")
        if name.startswith("AIRFLOW_CONN_"):
            check_connection(name, json.loads(value.replace("…", "x")))
        elif name not in FOREIGN:
            _, section, option = name.split("__")
            assert option.lower() in get_provider_info()["config"][section.lower()]["options"]


def check_connection(name, given):
    if given["conn_type"] == "generic" and "login" not in given:  # the key of a suppression list
        assert read_hash_keys(Connection(conn_id="a", **given))
        return
    if given["conn_type"] == "generic":  # the key of a policy
        assert read_key(Connection(conn_id="a", **given)).id
        return
    vendor = VENDORS[given["conn_type"]]
    assert name == f"AIRFLOW_CONN_{vendor.name.upper()}_DEFAULT"
    assert set(given) <= {"conn_type", "host", "login", "password", "extra"}
    fields = (given["host"], given.get("login", ""), given["password"])
    assert vendor.auth(build_credentials(vendor, *fields, extra=given["extra"]))


def check_pip(words, _answers, _served):
    """Only what is asked for: ``test_published.py`` builds the wheel."""
    if words[1] == "wheel":
        assert words[2:] == ["--no-deps", "--wheel-dir", "dist", "."]
        return
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    name, version = project["name"], project["version"]
    places = (name, ".", f"dist/{name.replace('-', '_')}-{version}-py3-none-any.whl")
    found = re.fullmatch(r"(?P<place>[^\[]+)(\[(?P<extras>[\w,]+)\])?", words[-1])
    assert found["place"] in places
    assert set((found["extras"] or "").split(",")) - {""} <= set(project["optional-dependencies"])


def check_uv(words, _answers, _served):
    """What CI runs as it is written: here only that what they start is there."""
    start = words[words.index("run") + 1 :]
    start = [word for word in start if word != "-q"]
    if start[:3] == ["python", "-m", "pytest"]:
        assert Path(REPOSITORY, start[-1]).exists()
    elif start[0] == "python":
        check_arguments(start)
    else:
        assert os.access(REPOSITORY / start[0], os.X_OK), start[0]


def check_python(words, _answers, served):
    if words[1:2] == ["docs/make.py"]:
        subprocess.run([sys.executable, *words[1:], "--check"], check=True, cwd=REPOSITORY, timeout=60)
    elif words[1:3] == ["-m", "airflow_provider_interactions.sandbox"]:
        served.start(words[3:])
    elif words[1].startswith("docs/"):  # needs what the command before it fetched
        assert (REPOSITORY / words[1]).exists()
    else:
        check_arguments(words)


def check_arguments(words):
    assert words[1] == "-m"
    parser = importlib.import_module(f"{words[2]}.__main__").build_parser()
    parser.parse_args(words[3:])


def check_airflow(words, answers, _served):
    assert answers[json.dumps(words)] is None, answers[json.dumps(words)]


def check_interactions(words, _answers, served):
    """Run as it is written, in one folder, where Airflow cannot be imported."""
    words = words[1:]
    if words == ["sandbox"]:
        process = served.shell.start(*words)
        assert process.stdout.readline().startswith("sandbox at ")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0
        return
    file = words.pop() if ">" in words[-2:] else None
    out, _ = served.shell.run(*(word for word in words if word != ">"))
    if file:
        (served.shell.folder / file).write_text(out)


def check_curl(words, _answers, served):
    """As curl would, to the sandbox that the page started before."""
    rest, method, data = [word for word in words[1:] if word != "-s"], "GET", None
    if "-X" in rest:
        at = rest.index("-X")
        method = rest[at + 1]
        del rest[at : at + 2]
    if "-d" in rest:
        at = rest.index("-d")
        data = rest[at + 1]
        del rest[at : at + 2]
    [url] = rest
    answer = requests.request(method, url.replace("http://127.0.0.1:8400", served.url), data=data, timeout=10)
    assert answer.status_code == 200, answer.text
    if "/oracle/" in url:
        assert answer.json()["interactions"] > 0
    if "/facts/" in url:
        assert all(json.loads(line)["interaction_id"] for line in answer.text.splitlines())
    if method == "PUT":
        assert len(answer.json()) == len(json.loads(data))


def check_dbt(words, _answers, _served):
    """``tests/models`` runs these, where there is a dbt."""
    assert words[1] in {"deps", "build", "source"}


def check_docker(words, _answers, _served):
    """``tests/deploy`` runs what the file says, where there is no engine: here only that the services are there."""
    services = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())["services"]
    assert words[1] == "compose"
    assert words[2] in {"up", "ps", "exec", "down"}
    scaled = [word.partition("=")[0] for before, word in itertools.pairwise(words) if before == "--scale"]
    assert {*scaled, *(words[3:4] if words[2] == "exec" else ())} <= set(services)


def check_kubectl(words, _answers, _served):
    """Nobody has a cluster here: only that the chart's values name the secret."""
    assert words[1:4] == ["create", "secret", "generic"]
    assert words[4] in (REPOSITORY / "docs/kubernetes/values.yaml").read_text()


def check_helm(words, _answers, _served):
    """Nobody has Helm here: only that the files are there."""
    assert words[1] in {"repo", "install", "pull"}
    files = [word for before, word in itertools.pairwise(words) if before == "--values"]
    assert [file for file in files if not (REPOSITORY / file).exists()] == []


CHECKS = {
    "export ": check_export,
    "pip ": check_pip,
    "python3 -m pip install ": check_uv,
    ".uv/bin/uv run ": check_uv,
    "python ": check_python,
    "airflow ": check_airflow,
    "interactions ": check_interactions,
    "curl ": check_curl,
    "dbt ": check_dbt,
    "docker ": check_docker,
    "kubectl ": check_kubectl,
    "helm ": check_helm,
}


class Served:
    """The sandbox as the page starts it, but on a free port."""

    def __init__(self, folder, sandbox):
        self.ready, self.process = folder / "ready.json", None
        self.shell = Shell(folder, sandbox)

    def start(self, words):
        """Start it and wait until it listens; another page's sandbox ends first."""
        self.end()
        self.ready.unlink(missing_ok=True)
        more = ["--port", "0", "--ready-file", str(self.ready)]
        command = [sys.executable, "-m", "airflow_provider_interactions.sandbox", *words, *more]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(400):
            if self.ready.exists() or self.process.poll() is not None:
                return
            time.sleep(0.05)

    @property
    def url(self):
        """Where it listens; fails when the page never started it."""
        return json.loads(self.ready.read_text())["url"]

    def end(self):
        """End it, and see that it ended as it should."""
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(timeout=10) == 0
            self.process = None


@pytest.fixture(scope="module")
def shared_sandbox(tmp_path_factory):
    """One sandbox for all pages, in the order of their commands."""
    with serve(SandboxConfig(contacts=5)) as sandbox:
        found = Served(tmp_path_factory.mktemp("served"), sandbox)
        yield found
        found.end()


# The checks themselves


UNKNOWN_KEY = {"conn_type": "which50", "host": "https://x.example", "password": "x", "extra": {"nosuch": 1}}


@pytest.mark.parametrize(
    "wrong",
    [
        'pip install "airflow-provider-interactions[nosuch]"',
        "export AIRFLOW__INTERACTIONS__NOSUCH=1",
        f"export AIRFLOW_CONN_WHICH50_DEFAULT='{json.dumps(UNKNOWN_KEY)}'",
        "python -m airflow_provider_interactions.demo --nosuch",
        "interactions preview which50 --nosuch",
        "python3 -m pip install uv && .uv/bin/uv run -q .ci/nosuch",
    ],
)
def test_a_wrong_command_is_noticed(wrong, tools, answers, shared_sandbox):
    [words] = tools.commands(wrong)
    check = next(check for start, check in CHECKS.items() if wrong.startswith(start))
    with pytest.raises((Exception, SystemExit)):
        check(words, answers, shared_sandbox)
