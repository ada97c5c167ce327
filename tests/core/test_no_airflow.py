"""The core, which is the package without hooks, runtime, observability, operators and plugin, needs no Airflow."""

import subprocess
import sys
from pathlib import Path

#: Warnings are errors; but pyiceberg 0.11 makes pyparsing warn as soon as any option about warnings is given.
STRICT = ("-W", "error", "-W", "ignore:warn_ungrouped_named_tokens_in_collection")
ROOT = Path(__file__).parents[2]

IMPORT_THE_CORE = """
import pkgutil, runpy, sys
runpy.run_path("tests/no_airflow.py")
import airflow_provider_interactions as package
airflows_own = ("hooks", "observability", "operators", "runtime", "plugin", "demo", "example_dags")
names = [
    module.name
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.", onerror=lambda name: None)
    if not set(module.name.split(".")) & {*airflows_own, "__main__"}
]
for name in names:
    __import__(name)
print(*names)
"""


def run(code):
    return subprocess.run(
        [sys.executable, *STRICT, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_every_module_of_the_core_can_be_imported_where_airflow_cannot():
    done = run(IMPORT_THE_CORE)
    assert done.returncode == 0, done.stderr
    names = done.stdout.split()
    assert {
        "airflow_provider_interactions.extract.pipeline",
        "airflow_provider_interactions.load.duckdb",
        "airflow_provider_interactions.vendors.dynamics_marketing.vendor",
    } <= set(names)
    assert len(names) > 25


def test_the_blockade_works():
    done = run('import runpy; runpy.run_path("tests/no_airflow.py"); import airflow.sdk')
    assert done.returncode != 0
    assert "must not be imported here" in done.stderr
