"""Runs in a process of its own: the snippets that import Airflow, and commands for its command line. Prints JSON.

Each snippet becomes a file of a DAG folder, as a user would have it. Of the DAGs, every operator that asks a vendor has
its options checked; of the commands, arguments, DAG and parameters.
"""

import contextlib
import io
import json
import sys
import traceback
from pathlib import Path


def main(asked):
    """Answer for everything that is asked, by name: null, or what is wrong with it."""
    from airflow.dag_processing.dagbag import DagBag

    folder = Path("snippets")
    folder.mkdir()
    names = {}
    for number, (name, text) in enumerate(asked["snippets"].items()):
        path = folder / f"snippet_{number}.py"
        path.write_text(text)
        names[str(path.absolute())] = name
    bag = DagBag(str(folder.absolute()), safe_mode=False)
    example_dags = DagBag(asked["dags"])
    answers = {name: find_import_error(bag, path) or find_mistake(bag, path) for path, name in names.items()}
    dags = {**example_dags.dags, **bag.dags}
    answers |= {json.dumps(words): check_command(words, dags) for words in asked["commands"]}
    return answers


def find_import_error(bag, path):
    return next((text for where, text in bag.import_errors.items() if Path(where).name == Path(path).name), None)


def find_mistake(bag, path):
    dags = [dag for dag in bag.dags.values() if dag.fileloc == path]
    if "DAG(" in Path(path).read_text() and not dags:
        return "no DAG came of it"
    try:
        for dag in dags:
            dag.check_cycle()
            check_options(dag)
    except Exception:  # noqa: BLE001 - whatever is wrong is the answer
        return traceback.format_exc()
    return None


def check_options(dag):
    from airflow_provider_interactions.connection import build_options
    from airflow_provider_interactions.vendors import VENDORS

    for task in dag.tasks:
        given = getattr(task, "partial_kwargs", vars(task))
        vendor = VENDORS.get(given.get("vendor") or "")
        if vendor is None:
            continue
        build_options(vendor, given.get("options"))
        assert given.get("kind") in {None, *vendor.contact_kinds}, given["kind"]


def check_command(words, dags):
    from airflow.cli.cli_parser import get_parser

    try:
        with contextlib.redirect_stderr(io.StringIO()) as shown:
            parsed = get_parser().parse_args(words[1:])
    except SystemExit:
        return shown.getvalue()
    if not hasattr(parsed, "dag_id"):
        return None  # a command about something else, whose arguments Airflow has just taken
    dag = dags.get(parsed.dag_id)
    if dag is None:
        return f"there is no DAG {parsed.dag_id}"
    conf = json.loads(getattr(parsed, "dag_run_conf", None) or getattr(parsed, "conf", None) or "{}")
    unknown = set(conf) - set(dag.params)
    return f"{parsed.dag_id} has no parameter {', '.join(unknown)}" if unknown else None


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text())
    with contextlib.redirect_stdout(sys.stderr):
        answers = main(asked)
    Path("answers.json").write_text(json.dumps(answers))
