"""Each error has an exit code that says what to do next."""

import pytest

from airflow_provider_interactions import errors
from airflow_provider_interactions.shell.exits import MEANINGS, Exit, choose_exit, explain

#: Bases of the tree, which nothing raises.
BASES = {errors.InteractionsError, errors.VendorError}
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.InteractionsError) and kind not in BASES
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_code_of_its_own_kind(kind):
    code = choose_exit(kind("x"))
    assert code not in {Exit.OK, Exit.DEFECT, Exit.USAGE}
    assert (code == Exit.RETRY) == kind.retry


def test_every_code_is_explained():
    assert set(MEANINGS) == set(Exit)


def test_any_other_exception_is_a_defect():
    assert choose_exit(RuntimeError("a person's name")) == Exit.DEFECT
    assert "person" not in explain(RuntimeError("a person's name"))
    assert choose_exit(PermissionError(13, "Permission denied", "a person's name")) == Exit.CONFIG
    assert "person" not in explain(PermissionError(13, "Permission denied", "a person's name"))
    assert choose_exit(TimeoutError()) == Exit.RETRY
    assert choose_exit(KeyboardInterrupt()) == Exit.INTERRUPTED
