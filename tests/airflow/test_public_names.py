"""What users write down: names of operators and parameters, hooks, connection types and fields, columns, paths.

``public_names.json`` was made before the package was laid out anew. A change here is a change of a contract: make the
list anew by ``python tests/airflow/test_public_names.py`` and say so in the changelog.
"""

import inspect
import json
from pathlib import Path

from airflow_provider_interactions import hooks, operators, schema
from airflow_provider_interactions.connection import build_options
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.provider_info import get_provider_info
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

LIST = Path(__file__).with_name("public_names.json")


def parameters(operator):
    """The names of an operator's own parameters, those of its bases in this package included."""
    found = set()
    for base in operator.__mro__:
        if base.__module__.startswith("airflow_provider_interactions"):
            found |= set(inspect.signature(base.__init__).parameters) - {"self", "kwargs"}
    return sorted(found)


def public_names():
    """Everything that must not change by accident."""
    info, place = get_provider_info(), WindowPaths("which50", "a/b", Window.of("2026-01-01", "2026-01-02"))
    operators_of = {name: getattr(operators, name) for name in operators.__all__}
    return {
        "operators": {name: parameters(one) for name, one in operators_of.items() if inspect.isclass(one)},
        "pipeline": sorted(inspect.signature(operators.interactions_pipeline).parameters),
        "hooks": sorted(hooks.__all__),
        "connections": {one["connection-type"]: sorted(one.get("conn-fields", {})) for one in info["connection-types"]},
        "options": {
            name: sorted(build_options(vendor, None).__struct_fields__) for name, vendor in sorted(VENDORS.items())
        },
        "columns": {field.name: str(field.type) for field in schema.CANONICAL},
        "raw columns": {field.name: str(field.type) for field in schema.RAW},
        "paths": [
            place.raw_manifest,
            place.manifest,
            place.day_folder("2026-01-01"),
            place.folder("rejects"),
            place.requests,
        ],
        "configuration": sorted(info["config"]["interactions"]["options"]),
    }


def test_no_name_that_people_write_down_has_changed():
    assert public_names() == json.loads(LIST.read_text())


if __name__ == "__main__":
    LIST.write_text(json.dumps(public_names(), indent=1, sort_keys=True) + "\n")
