"""Nothing that a terminal could obey leaves the shell."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.shell.printable import make_lines_printable, make_printable

ANY = st.text(st.characters())
OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(ANY)
def test_no_character_that_a_terminal_obeys_is_left(text):
    assert not {unicodedata.category(one) for one in make_printable(text)} & OBEYED
    assert not {unicodedata.category(one) for one in make_lines_printable(text).replace("\n", "")} & OBEYED


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_what_people_read_stays(text):
    assert make_printable(text) == text


def test_an_escape_is_shown():
    assert make_printable("a\x1b[31mb\x9bc\u202ed\ud800\n") == r"a\x1b[31mb\x9bc\u202ed\ud800\n"
    assert make_lines_printable("a\n\tb\r") == "a\n  b\\r"
