"""The values for Airflow's official chart agree with the Compose file, the docs and the image.

The chart's schema is not in any package, so it is not applied here; Helm applies it at an installation.
"""

import re

import pytest
import yaml
from airflow.configuration import AirflowConfigParser

DOCS = ("values.yaml", "values-celery.yaml")

#: Words of the chart that are used here; from its production guide and its page "Parameters reference" (1.22.0, read
#: in parts, 2026-11).
KNOWN = {
    "executor", "airflowVersion", "images", "postgresql", "redis", "data",
    "fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName", "config", "extraEnvFrom", "workers",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(file):
    return file.parent / "docs" / "kubernetes"


@pytest.fixture(scope="module", params=DOCS)
def values(folder, request):
    return yaml.safe_load((folder / request.param).read_text())


def merge(first, second):
    both = first.keys() & second.keys()
    return {**first, **second, **{key: merge(first[key], second[key]) for key in both if isinstance(first[key], dict)}}


def test_only_known_words_stand_at_the_top(values):
    assert values.keys() <= KNOWN


def test_the_executors_are_airflows_own(folder):
    first, second = (yaml.safe_load((folder / name).read_text()) for name in DOCS)
    assert (first["executor"], merge(first, second)["executor"]) == ("KubernetesExecutor", "CeleryExecutor")
    assert merge(first, second)["data"].keys() == {"metadataSecretName", "brokerUrlSecretName"}


def test_settings_exist_and_are_those_of_the_compose_file(values, compose):
    conf, environment = AirflowConfigParser(), compose["services"]["worker"]["environment"]
    shared = 0
    for section, options in values["config"].items():
        for option, value in options.items():
            assert section in ("celery", "interactions") or conf.get_default_value(section, option) is not None
            assert isinstance(value, str), option
            same = environment.get(f"AIRFLOW__{section}__{option}".upper())
            shared += same is not None
            assert option == "lake" or same in (None, value), option
    assert shared


def test_no_secret_is_in_the_values(folder):
    text = "".join((folder / name).read_text() for name in DOCS)
    assert set(re.findall(r"^ *(\w*(?:[Kk]ey|[Ss]ecret|[Pp]ass|Url)\w*):", text, re.MULTILINE)) == {
        "metadataSecretName", "brokerUrlSecretName", "fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName",
    }  # fmt: skip


def test_every_secret_is_made_by_the_page_or_is_the_readers_own(folder):
    first = yaml.safe_load((folder / "values.yaml").read_text())
    page = (folder.parent / "deploy.md").read_text()
    names = [
        first["data"]["metadataSecretName"],
        *(first[f"{key}SecretName"] for key in ("fernetKey", "apiSecretKey", "jwt")),
    ]
    names += re.findall(r"name: (\S+)", first["extraEnvFrom"])
    assert [name for name in names if f"secret generic {name} " not in page] == []


def test_the_image_is_the_one_of_the_compose_file(folder, compose):
    recipe = (folder / "Dockerfile").read_text()
    inline = compose["services"]["worker"]["build"]["dockerfile_inline"]
    assert re.findall(r"^FROM .*", recipe, re.MULTILINE) == re.findall(r"^FROM .*", inline, re.MULTILINE)
    words = set(re.findall(r'"([^"/]+)"|\b(asyncpg|psycopg2-binary)\b', recipe))
    assert len(words) == 5
    assert [word for pair in words for word in pair if word not in inline] == []
    version = yaml.safe_load((folder / "values.yaml").read_text())["airflowVersion"]
    assert f"apache/airflow:{version}-" in recipe
