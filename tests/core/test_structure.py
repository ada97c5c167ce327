"""The rooms of the package and their order: nothing imports a room above its own, so there is no circle."""

import ast
from pathlib import Path

import airflow_provider_interactions as package

ROOT = Path(package.__file__).parent

#: Rooms by floor, lowest first. A module imports its own room and lower floors only. docs/how-it-works.md draws it.
FLOORS = (
    {"errors", "about", "alerts"},
    {"window", "identifiers", "packages", "page_cap", "postgres_uri", "status", "urls"},
    {"contract", "schema"},
    {"addresses", "connection", "instants"},
    {"rejects", "mapping", "lake", "http", "tables"},
    {"vendors"},
    {"contact_files", "contacts", "provider_info", "params"},
    {"extract"},
    {"normalize"},
    {"load", "person", "hooks", "plan", "coverage"},
    {"targets"},
    {"warehouses"},
    {"runtime"},
    {"observability"},
    {"operators"},
    {"plugin"},
)

#: The rooms that the shell uses: those below ``runtime``, and the sandbox. It needs no Airflow.
BELOW_AIRFLOW = set().union(*FLOORS[: FLOORS.index({"runtime"})]) - {"hooks"}

#: They stand beside: the sandbox imports nothing of the package, shell and demo are users of it.
BESIDE = {
    "sandbox": {"sandbox"},
    "shell": BELOW_AIRFLOW | {"sandbox"},
    "demo": {"demo", "sandbox", "lake", "window", "vendors"},
}


def room(module):
    return module.split(".")[1] if "." in module else ""


def imports():
    """Each module with the modules of the package that it imports, at its top or later."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = [ROOT.name, *path.relative_to(ROOT).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name} imports relatively"
                if str(node.module).split(".")[0] == ROOT.name:
                    yield from ((name, target(node.module, alias.name)) for alias in node.names)


def target(module, name):
    found = ROOT.parent.joinpath(*module.split("."), name)
    return f"{module}.{name}" if found.is_dir() or found.with_suffix(".py").exists() else module


def test_no_import_climbs():
    floor = {name: n for n, names in enumerate(FLOORS) for name in names}
    for importer, imported in imports():
        here, there = room(importer), room(imported)
        if not here or not there or here == there:
            continue
        if here in BESIDE:
            assert there in BESIDE[here], f"{importer} imports {imported}"
        else:
            assert floor[there] < floor[here], f"{importer}: {imported}"


def test_no_modules_import_each_other():
    needs = {}
    for importer, imported in imports():
        needs.setdefault(importer, set()).add(imported)
    done = set()

    def visit(module, way):
        assert module not in way, " -> ".join([*way, module])
        if module not in done:
            for other in needs.get(module, ()):
                if other != module and not module.startswith(f"{other}."):
                    visit(other, [*way, module])
            done.add(module)

    for module in list(needs):
        visit(module, [])
