"""An erasure from the terminal: what it would do, what it did, what is refused, and that work goes on afterwards."""

import json
from pathlib import Path

import duckdb
import pytest

from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.person.receipt import Receipt

VENDOR = "which50"
SECRET = "the-key-of-hashes-has-thirty-two-bytes-or-more"
DATES = ("--start", "2026-01-01", "--end", "2026-01-04")


@pytest.fixture
def shell(shell):
    """A shell with the key for hashes."""
    key = {"conn_type": "generic", "password": SECRET}
    shell.environment |= {
        "AIRFLOW_CONN_KEYS_OF_HASHES": json.dumps(key),
        "AIRFLOW__INTERACTIONS__SUPPRESSION_CONN_ID": "keys_of_hashes",
    }
    return shell


@pytest.fixture
def filled_shell(shell):
    """The same, with a lake and its table."""
    fill(shell)
    return shell


def fill(shell):
    path = shell.folder.parent / "contacts.txt"
    path.write_text("\n".join(shell.sandbox.contacts(VENDOR)))
    shell.run("extract", VENDOR, *DATES, "--contacts-file", path)
    shell.run("normalize", VENDOR, *DATES)
    shell.run("load", VENDOR, *DATES)


def count(shell, contact):
    with duckdb.connect(str(shell.folder / "lake/interactions.duckdb"), read_only=True) as table:
        return table.execute("SELECT count(*) FROM interactions WHERE contact_id = ?", [contact]).fetchone()[0]


def read_files(shell):
    """The bytes of all files by their names, without the database, which uses the space of removed rows later."""
    files = [path for path in shell.folder.rglob("*") if path.is_file() and path.suffix != ".duckdb"]
    return {str(path.relative_to(shell.folder)): path.read_bytes() for path in files}


def test_without_yes_it_says_what_it_would_erase_and_changes_nothing(filled_shell):
    gone, before = filled_shell.sandbox.contacts(VENDOR)[0], read_files(filled_shell)
    out, err = filled_shell.run("erase", VENDOR, "--contact", gone)
    assert f"{VENDOR}: 1 contact_id." in out
    assert "interactions.duckdb.interactions." in out
    assert out.splitlines()[-1] == "Nothing was erased. Add --yes to erase it."
    assert gone not in out + err
    found = filled_shell.ask("erase", VENDOR, "--contact", gone)
    assert found["erased"] is False
    assert found["plan"]["vendors"][0]["rows"]["raw"] > 0
    assert gone not in json.dumps(found)
    assert read_files(filled_shell) == before


def test_with_yes_it_erases_and_the_vendors_other_contacts_go_on(filled_shell):
    gone, stays = filled_shell.sandbox.contacts(VENDOR)[:2]
    others = count(filled_shell, stays)
    assert count(filled_shell, gone)
    found = filled_shell.ask(
        "erase", VENDOR, "--contact", "-", "--yes", "--approved-by", "Ada", "--name", "mine", given=gone
    )
    assert (found["state"], found["approved_by"], found["name"]) == ("complete", "Ada", "mine")
    assert found["erased"] is True
    assert found["rows"]["raw"] > 0
    assert found["addresses"]["page"].endswith("/receipts/mine.html")
    assert gone not in json.dumps(found)
    assert "people" not in found
    assert Lake.at(str(filled_shell.folder / "lake")).read("receipts/mine.json", Receipt).approved_by == "Ada"
    assert (count(filled_shell, gone), count(filled_shell, stays)) == (0, others)
    assert not [name for name, data in read_files(filled_shell).items() if gone.encode() in name.encode() + data]
    fill(filled_shell)
    assert (count(filled_shell, gone), count(filled_shell, stays)) == (0, others)
    [first, *_] = filled_shell.ask("extract", VENDOR, *DATES, "--contact", gone, "--contact", stays)["windows"]
    assert (first["counts"]["suppressed"], first["counts"]["contacts"]) == (1, 1)


def test_the_receipt_is_printed(filled_shell):
    out, _ = filled_shell.run("erase", VENDOR, "--contact", filled_shell.sandbox.contacts(VENDOR)[0], "--yes")
    said, receipt, page = out.splitlines()
    assert said.startswith("Erasure ")
    assert " is complete: removed " in said
    assert Path(receipt.removeprefix("receipt: file://")).exists()
    assert Path(page.removeprefix("page: file://")).exists()


def test_the_key_may_be_in_the_file(filled_shell):
    """And without it, nothing that could bring an erased person back is done."""
    gone = filled_shell.sandbox.contacts(VENDOR)[0]
    filled_shell.run("erase", VENDOR, "--contact", gone, "--yes")
    del filled_shell.environment["AIRFLOW__INTERACTIONS__SUPPRESSION_CONN_ID"]
    for command, *words in (("extract", *DATES), ("person", "--contact", gone), ("erase", "--contact", gone)):
        said = filled_shell.ask(command, VENDOR, *words, code=3)["message"]
        assert "suppression_conn_id" in said
    key = '[connections.here]\nconn_type = "generic"\npassword = "' + SECRET + '"\n'
    file = filled_shell.folder / "interactions.toml"
    file.write_text(f'suppression_conn_id = "here"\n{key}')
    file.chmod(0o600)
    assert filled_shell.ask("extract", VENDOR, *DATES)["windows"]
    file.write_text('suppression_conn_id = "nowhere"\n')
    assert "Connection nowhere does not exist" in filled_shell.ask("extract", VENDOR, *DATES, code=3)["message"]


def test_whoever_was_erased_is_refused_until_the_suppression_is_lifted(filled_shell):
    gone, stays = filled_shell.sandbox.contacts(VENDOR)[:2]
    filled_shell.run("erase", VENDOR, "--contact", gone, "--yes", "--name", "mine")
    said = filled_shell.ask("person", VENDOR, "--contact", stays, "--contact", gone, code=3)["message"]
    assert said.startswith(f"Contact 2 of {VENDOR} was erased on 20")
    assert "(receipt mine)" in said
    assert f"interactions lift {VENDOR}" in said
    assert gone not in said
    assert not (filled_shell.folder / "lake/requests").exists()
    assert filled_shell.ask("person", VENDOR, "--contact", stays)["counts"]["contacts"] == 1
    assert filled_shell.ask("lift", VENDOR, "--contact", gone)["lifted"] == 1
    out, _ = filled_shell.run("lift", VENDOR, "--contact", gone)
    assert out == f"0 of 1 contacts were on the suppression list of {VENDOR}, and are no longer.\n"
    assert filled_shell.ask("person", VENDOR, "--contact", gone)["counts"]["contacts"] == 1


def test_a_person_of_the_map_at_all_systems(filled_shell):
    names = (VENDOR, "capillary")
    mine, other = ([(f"p{n}", name, "", "", filled_shell.sandbox.contacts(name)[n]) for name in names] for n in (0, 1))
    (filled_shell.folder / "map.csv").write_text(
        "\n".join(",".join(row) for row in [("person_id", "vendor", "account", "kind", "identifier"), *mine, *other])
    )
    gone, stays = mine[0][4], count(filled_shell, other[0][4])
    words = ("erase", "--person-id", "p0", "--identities", "map.csv")
    assert [one["vendor"] for one in filled_shell.ask(*words)["plan"]["vendors"]] == list(names)
    assert "No map of identities is set" in filled_shell.ask("erase", "--person-id", "p0", code=3)["message"]
    filled_shell.environment["AIRFLOW__INTERACTIONS__IDENTITIES"] = "map.csv"
    found = filled_shell.ask("erase", "--identifier", mine[1][4], "--yes")
    assert found["state"] == "complete"
    assert count(filled_shell, gone) == 0
    assert count(filled_shell, other[0][4]) == stays
    said = filled_shell.ask("person", "capillary", "--contact", mine[1][4], code=3)["message"]
    assert "Contact 1 of capillary was erased" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((VENDOR,), "Give one of --contact, --person-id and --identifier"),
        ((VENDOR, "--contact", "x", "--person-id", "p"), "Give one of --contact, --person-id and --identifier"),
        (("--contact", "secret-person"), "Name the vendor of the contacts"),
        (("nobody", "--contact", "secret-person"), "nobody"),
        ((VENDOR, "--contact", "a" * 64), "Contact 1 looks like a hash"),
        ((VENDOR, "--contact", "secret-person", "--kind", "shoe_size"), "cannot look contacts up by shoe_size"),
        ((VENDOR, "--contact", "8effaa1bc8f7c90086ea314161265324", "--target", "none"), "none does not exist"),
        (("--person-id", "secret-person", "--identities", "nowhere.csv"), "The map of identities does not exist"),
    ],
)
@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_bad_input_is_explained_and_changes_nothing(shell, words, message, yes):
    found = shell.ask("erase", *words, *yes, code=3)
    assert message in found["message"]
    assert "secret-person" not in found["message"]
    assert not (shell.folder / "lake").exists()


def test_a_target_that_refuses_ends_with_a_code_and_the_receipt_so_far(filled_shell):
    database, gone = str(filled_shell.folder / "lake/interactions.duckdb"), filled_shell.sandbox.contacts(VENDOR)[0]
    with duckdb.connect(database) as table:
        table.execute("ALTER TABLE interactions RENAME COLUMN contact_id TO kept")
        table.execute("ALTER TABLE interactions ADD COLUMN contact_id INTEGER")
    words = ("erase", VENDOR, "--contact", gone, "--yes", "--name", "mine")
    out, err = filled_shell.run(*words, code=5)
    assert "refused the erasure" in err
    assert "Erasure mine is failed" in out
    with duckdb.connect(database) as table:
        table.execute("ALTER TABLE interactions DROP COLUMN contact_id")
        table.execute("ALTER TABLE interactions RENAME COLUMN kept TO contact_id")
    assert filled_shell.ask(*words)["state"] == "complete"
    assert count(filled_shell, gone) == 0
