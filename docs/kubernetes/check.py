"""Check the values files against an unpacked copy of Airflow's official chart: its own schema, and its own names.

    helm pull apache-airflow/airflow --version 1.22.0 --untar
    python docs/kubernetes/check.py airflow

Needs jsonschema and PyYAML. It is no part of the tests, which have no chart. The schema allows unknown names in many
places. So each name of the files must also be one of the chart's ``values.yaml``, but those below ``config``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import validators

HERE = Path(__file__).parent

#: The files of an installation, in the order in which Helm gets them.
INSTALLATIONS = (("values.yaml",), ("values.yaml", "values-celery.yaml"))

#: Parts of the values whose names the chart does not list.
FREE = {("config",), ("workers", "resources")}


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Values over values, as Helm lays them: maps are merged, everything else is replaced."""
    both = [name for name in above if isinstance(above[name], dict) and isinstance(below.get(name), dict)]
    return {**below, **above, **{name: merge(below[name], above[name]) for name in both}}


def find_unknown(chart: Mapping[str, Any], given: Mapping[str, Any], way: tuple[str, ...] = ()) -> Iterator[str]:
    """The names that the chart's values do not have."""
    for name, value in given.items():
        here = (*way, name)
        if name not in chart:
            yield ".".join(here)
        elif isinstance(value, dict) and here not in FREE:
            yield from find_unknown(chart[name] or {}, value, here)


def check(chart: Path) -> list[str]:
    """What is wrong with the files, in words."""
    schema = json.loads((chart / "values.schema.json").read_text())
    defaults = yaml.safe_load((chart / "values.yaml").read_text())
    validator, found = validators.validator_for(schema)(schema), []
    for names in INSTALLATIONS:
        values, title = defaults, " and ".join(names)
        for name in names:
            given = yaml.safe_load((HERE / name).read_text())
            found += [f"{name}: the chart has no {one}" for one in find_unknown(defaults, given)]
            values = merge(values, given)
        found += [f"{title}: {error.json_path}: {error.message}" for error in validator.iter_errors(values)]
    return found


if __name__ == "__main__":
    problems = check(Path(sys.argv[1]))
    chart = yaml.safe_load((Path(sys.argv[1]) / "Chart.yaml").read_text())
    print(*(problems or [f"The values fit {chart['name']} {chart['version']}."]), sep="\n")
    sys.exit(bool(problems))
