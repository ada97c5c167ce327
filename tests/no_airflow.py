"""Makes Airflow unimportable, to prove that the core does without it. CI runs, from the root of the checkout:

    python -m pytest -p tests.no_airflow tests/core tests/contract

(``python -m``, because it puts the root on the import path, where this plugin is looked up). With the plugin any
import of Airflow, by the package or by a library it uses, fails the run. ``tests/core/test_no_airflow.py`` runs this
file in a process of its own and imports every module of the core, so an ordinary test run proves as much about imports.
"""

import sys
from importlib.abc import MetaPathFinder


class NoAirflow(MetaPathFinder):
    """Answers for every module of Airflow that there is none."""

    def find_spec(self, fullname, path=None, target=None):  # noqa: ARG002 - the protocol's arguments
        """Raise for Airflow, leave the rest to the other finders."""
        if fullname.partition(".")[0] == "airflow":
            msg = f"{fullname} must not be imported here: the core knows nothing of Airflow"
            raise ModuleNotFoundError(msg, name=fullname)  # as if it were not installed


if "airflow" in sys.modules:
    message = "Airflow was imported before it could be blocked"
    raise RuntimeError(message)
sys.meta_path.insert(0, NoAirflow())
