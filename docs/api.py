"""The API reference: what a module's docstrings and signatures say, as Markdown. Nothing is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from markup import format_table

PACKAGE = Path(__file__).resolve().parents[1] / "airflow_provider_interactions"

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

PARAMETER = re.compile(r"^:param (\w+): (.*?)(?=^:param |\Z)", re.MULTILINE | re.DOTALL)
#: Methods that Airflow calls, so that nobody else has to.
AIRFLOWS = {"execute", "perform", "partial", "get_openlineage_facets_on_complete"}
#: Classes whose fields are what a caller gives or gets.
RECORDS = {"Struct", "NamedTuple", "TypedDict", "Settings", "Options"}
WIDEST = 110


def describe_api(module: str, *names: str) -> str:
    """The docstrings of names that a module defines or imports; of the module itself without names."""
    if not names:
        return format_docstring(ast.get_docstring(parse_module(module)) or "")
    return "\n\n".join(_describe(find_definition(module, name)) for name in names)


@cache
def parse_module(module: str) -> ast.Module:
    """The syntax tree of a module of the package, ``errors`` or ``operators.base``."""
    path = PACKAGE.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def find_definition(module: str, name: str) -> Definition:
    """The class or function of this name, followed through imports; raises LookupError if there is none."""
    for node in parse_module(module).body:
        if isinstance(node, Definition) and node.name == name:
            return node
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            return find_definition((node.module or "").partition(".")[2], name)
    raise LookupError(f"{module} has no class or function {name}")


def _describe(node: Definition) -> str:
    body = _describe_class(node) if isinstance(node, ast.ClassDef) else _describe_function(node, level=3)
    return "\n\n".join(filter(None, body))


def _describe_class(node: ast.ClassDef) -> Iterator[str]:
    yield f"### `{node.name}`"
    bases = [ast.unparse(base).partition("[")[0] for base in node.bases]
    if named := [f"`{base}`" for base in bases if base != "Generic"]:
        yield f"Base: {', '.join(named)}"
    text, parameters = split_docstring(ast.get_docstring(node) or "")
    yield text
    start = next((method for method in _find_methods(node) if method.name == "__init__"), None)
    if parameters and start:
        yield format_parameters(start, parameters)
    elif fields := list(_find_fields(node, bases)):
        yield format_table(("field", "type", "default"), fields)
    for method in _find_methods(node):
        if not method.name.startswith("_") and method.name not in AIRFLOWS and ast.get_docstring(method):
            yield from _describe_function(method, level=4)


def _find_methods(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]


def _find_fields(node: ast.ClassDef, bases: Sequence[str]) -> Iterator[Sequence[str]]:
    is_record = any(base.rpartition(".")[2] in RECORDS for base in bases)
    if not is_record and not any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return
    for part in node.body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name) and part.target.id[0] != "_":
            yield f"`{part.target.id}`", f"`{ast.unparse(part.annotation)}`", _format_default(part.value)


def _format_default(value: ast.expr | None) -> str:
    if isinstance(value, ast.Call):  # dataclasses.field
        found = {keyword.arg: keyword.value for keyword in value.keywords}
        factory = found.get("default_factory")
        return f"`{ast.unparse(factory)}()`" if factory else _format_default(found.get("default"))
    return "" if value is None else f"`{ast.unparse(value)}`"


def _describe_function(node: ast.FunctionDef | ast.AsyncFunctionDef, level: int) -> Iterator[str]:
    names = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    text, parameters = split_docstring(ast.get_docstring(node) or "")
    if names & {"property", "cached_property"}:
        returns = f": `{ast.unparse(node.returns)}`" if node.returns else ""
        yield f"{'#' * level} `{node.name}`{returns}"
    else:
        yield f"{'#' * level} `{node.name}`"
        manager = "@contextmanager\n" if "contextmanager" in names else ""
        yield f"```python\n{manager}{format_signature(node)}\n```"
    yield text
    if parameters:
        yield format_parameters(node, parameters)


def format_signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """A function's signature without ``self``, one argument a line where it is long."""
    arguments = [part for part in _split_arguments(node.args) if part not in {"self", "cls"}]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    line = f"{kind} {node.name}({', '.join(arguments)}){returns}: ..."
    if len(line) <= WIDEST:
        return line
    inner = "".join(f"    {argument},\n" for argument in arguments)
    return f"{kind} {node.name}(\n{inner}){returns}: ..."


def _split_arguments(arguments: ast.arguments) -> Iterator[str]:
    plain = [*arguments.posonlyargs, *arguments.args]
    missing = len(plain) - len(arguments.defaults)
    for number, (argument, default) in enumerate(zip(plain, [None] * missing + arguments.defaults, strict=True), 1):
        yield _format_argument(argument, default)
        if number == len(arguments.posonlyargs):
            yield "/"
    if arguments.vararg:
        yield f"*{ast.unparse(arguments.vararg)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _format_argument(argument, default)
    if arguments.kwarg:
        yield f"**{ast.unparse(arguments.kwarg)}"


def _format_argument(argument: ast.arg, default: ast.expr | None) -> str:
    said = ast.unparse(argument)
    return said if default is None else f"{said} = {ast.unparse(default)}"


def split_docstring(text: str) -> tuple[str, dict[str, str]]:
    """A docstring's prose, and what it says of each parameter."""
    found = {name: format_docstring(" ".join(meaning.split())) for name, meaning in PARAMETER.findall(text)}
    return format_docstring(PARAMETER.sub("", text)), found


def format_parameters(node: ast.FunctionDef | ast.AsyncFunctionDef, meanings: dict[str, str]) -> str:
    """A table of a function's parameters, with types and defaults from its signature."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    types = {argument.arg: argument.annotation for argument in arguments}
    rows = [
        (f"`{name}`", f"`{ast.unparse(types[name])}`" if types.get(name) else "", meanings[name]) for name in meanings
    ]
    return format_table(("argument", "type", "meaning"), rows)


def format_docstring(text: str) -> str:
    """A docstring as Markdown."""
    return text.replace("``", "`").replace("\n\n::\n\n    ", "\n\n    ").strip()
