"""The sentences of troubleshooting.md are those of the code."""

import ast
import re
from pathlib import Path

import pytest

import airflow_provider_interactions

PACKAGE = Path(airflow_provider_interactions.__file__).parent
#: Their messages are for other readers.
ELSEWHERE = {"sandbox", "demo"}
VARIABLE = re.compile(r"%(?:\.\d+)?[sdf]|\{\w*\}")


@pytest.fixture(scope="module")
def sentences():
    """Every text in the code, with an ellipsis for each part that varies."""
    paths = (path for path in PACKAGE.rglob("*.py") if not ELSEWHERE & {*path.relative_to(PACKAGE).parts})
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return {VARIABLE.sub("…", read_text(node)) for node in nodes if isinstance(node, ast.Constant | ast.JoinedStr)}


def read_text(node):
    """A literal's text; what a formatted one computes becomes an ellipsis."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(read_text(part) if isinstance(part, ast.Constant) else "…" for part in node.values)


def test_every_quoted_message_is_in_the_code(tools, sentences):
    tables = re.findall(r"^\| message \|.*\n\|.*\n((?:\|.*\n)+)", tools.pages["troubleshooting.md"], re.MULTILINE)
    quoted = [row.split("|")[1].strip() for table in tables for row in table.splitlines()]
    assert len(quoted) > 30
    gone = [one for one in quoted if not any(one in sentence for sentence in sentences)]
    assert gone == [], "the code no longer says this: quote its new words in docs/troubleshooting.md"


def test_texts_are_joined_across_lines_and_variables():
    tree = ast.parse("f'{name}: one ' f'and {2:d} more'", mode="eval")
    assert read_text(tree.body) == "…: one and … more"
