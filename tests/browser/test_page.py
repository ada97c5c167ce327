"""The coverage page, looked at and clicked: heat map, filters, a window, its manifest and its rejects."""

import itertools

import pytest

from tests.browser.conftest import look
from tests.browser.sight import find_flaws
from tests.coverage_lake import ACCOUNTS, HOSTILE, PERSON, STATES, VENDOR, day

ACCOUNT = ACCOUNTS[0]
SPAN = {"start": f"{day(8).start:%Y-%m-%d}", "end": f"{day(1).start:%Y-%m-%d}"}


@pytest.fixture
def page(view, url):
    """The page, with both accounts drawn."""
    view.goto(f"{url}/coverage")
    view.locator(".account").first.wait_for()
    return view


def choose(page, **values):
    """Fill in filters, and wait for what they bring."""
    for name, value in values.items():
        field = page.locator(f"#filters [name={name}]")
        with page.expect_response("**/api/coverage*") as answer:
            field.select_option(value) if name in ("vendor", "account") else field.fill(value)
        answer.value.finished()
    page.locator("#message:empty").wait_for(state="attached")


def strip(page, account=ACCOUNT):
    """The part of an account."""
    return page.locator(".account").filter(has=page.get_by_text(account, exact=True))


def cells(page, account=ACCOUNT):
    """The cells of an account."""
    return strip(page, account).locator(".cell")


def open_cell(page, number, account=ACCOUNT):
    """Click the cell of a day so many days ago; its panel."""
    cells(page, account).and_(page.locator(f'[title^="{day(number).start:%Y-%m-%d}"]')).click()
    panel = page.get_by_role("complementary")
    panel.get_by_text(f"{VENDOR}, {account}", exact=True).wait_for()
    return panel


def read_states(page, account=ACCOUNT):
    """The states of an account's cells, by their colours' names."""
    classes = cells(page, account).evaluate_all("all => all.map((one) => one.classList[1])")
    return [name for name in classes if name != "late"]


def read_facts(panel):
    """The facts of a window, by name."""
    return dict(
        panel.locator("tr:has(> th:first-child):has(> td)").evaluate_all(
            "rows => rows.map((row) => [...row.children].map((cell) => cell.textContent))"
        )
    )


def test_the_heat_map_has_a_cell_for_each_window(page):
    choose(page, **SPAN)
    for account in ACCOUNTS:
        assert read_states(page, account) == STATES
    assert page.locator("#legend").inner_text().count("(2)") == 6
    assert find_flaws(page) == []


def test_its_colours_follow_the_system_unless_airflow_chose(page):
    assert page.evaluate("document.documentElement.dataset.theme") == page.scheme
    other = {"light": "dark", "dark": "light"}[page.scheme]
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.evaluate("theme => localStorage.setItem('theme', theme)", other)
    page.reload()
    page.locator(".account").first.wait_for()
    assert page.evaluate("document.documentElement.dataset.theme") == other
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert find_flaws(page) == []


def test_the_cells_tell_states_apart_without_colours(page):
    choose(page, **SPAN)
    looks = cells(page).evaluate_all("all => all.map((one) => [one.classList[1], one.ariaLabel.split(': ')[1]])")
    assert len({text.split(", ")[0] for _, text in looks}) == len(set(STATES))
    marked = {"rejects", "stale", "failed", "running"}
    assert {name for name in STATES if page.locator(f".account .{name}").first.inner_text()} == marked


def test_filters(page):
    choose(page, account=ACCOUNT)
    assert page.locator(".account").count() == 1
    choose(page, account="")
    assert page.locator(".account").count() == 2
    choose(page, vendor=VENDOR, **SPAN)
    assert read_states(page) == STATES
    choose(page, start=f"{day(2).start:%Y-%m-%d}")
    assert read_states(page) == STATES[-2:]


def test_a_name_is_text_and_no_markup(page):
    assert strip(page, HOSTILE).count() == 1
    open_cell(page, 8, HOSTILE)
    assert page.title() == "Coverage of contact interactions"
    assert page.locator("img").count() == 0


def test_weeks_and_years(page):
    for text, days in (("4 weeks", 28), ("12 weeks", 84), ("1 year", 365)):
        with page.expect_response("**/api/coverage*") as answer:
            page.get_by_role("button", name=text).click()
        found = answer.value.json()
        first, last = page.locator("[name=start]").input_value(), page.locator("[name=end]").input_value()
        assert found["end"][:10] == f"{day(-1).start:%Y-%m-%d}"
        assert (found["start"][:10], last) == (first, f"{day(0).start:%Y-%m-%d}")
        assert first == f"{day(days - 1).start:%Y-%m-%d}"


def test_a_window_shows_its_counts_and_runs(page):
    panel = open_cell(page, 8)
    facts = read_facts(panel)
    assert (facts["Rows"], facts["Requests"], facts["Contacts"]) == ("2", "3", "1")
    assert facts["Duration of the extraction"] == "4.2 s"
    tries = panel.locator(".wide tr").all_inner_texts()
    assert len(tries) == 3
    assert "Unavailable" in tries[1]
    assert "success" in tries[2]
    assert "a_dag" in tries[2]
    assert find_flaws(page) == []


def test_a_window_that_nobody_asked_for_says_so(page):
    panel = open_cell(page, 5)
    assert panel.get_by_text("never asked").count() == 1
    assert panel.get_by_text("Manifest").count() == 0


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_chosen_cell_stays_in_view(page, account):
    panel, cell = open_cell(page, 4, account).bounding_box(), page.locator('[aria-pressed="true"]').bounding_box()
    right, bottom = cell["x"] + cell["width"], cell["y"] + cell["height"]
    assert min(cell["x"], cell["y"]) >= 0
    assert right <= panel["x"] or bottom <= panel["y"], "behind the panel"


def test_a_date_is_always_in_view(page):
    for place in ("0", "strip.scrollWidth / 3", "strip.scrollWidth"):
        strip(page).locator(".strip").evaluate(f"strip => {{ strip.scrollLeft = {place} }}")
        edges = strip(page).locator(".strip").bounding_box()
        ticks = [tick.bounding_box() for tick in strip(page).locator(".tick").all()]
        left, right = edges["x"], edges["x"] + edges["width"]
        assert any(left <= tick["x"] and tick["x"] + tick["width"] <= right for tick in ticks)
        assert all(one["x"] + one["width"] <= other["x"] for one, other in itertools.pairwise(ticks)), "one on another"


def test_charts_of_the_ledger(page):
    choose(page, account=ACCOUNT, start=SPAN["start"])
    page.get_by_text("Requests, rows and waiting").click()
    charts = page.get_by_role("img")
    charts.first.wait_for()
    assert charts.count() == 4
    requests = charts.first
    assert "6 requests" in requests.get_attribute("aria-label")
    bars = requests.locator("rect").evaluate_all("bars => bars.map((bar) => +bar.getAttribute('height'))")
    assert bars == [0, 100, *(9 - 2) * [0]], "all tries ended on the second of nine days"
    assert find_flaws(page) == []
    choose(page, vendor="", account=HOSTILE)
    charts.first.wait_for()


def test_keys_move_between_cells_and_close_the_panel(page):
    open_cell(page, 8)
    cells(page).nth(-1).focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.ariaLabel").startswith(f"{day(2).start:%Y-%m-%d}")
    page.keyboard.press("Enter")
    panel = page.get_by_role("complementary")
    panel.get_by_role("heading", name=f"{day(2).start:%Y-%m-%d}").wait_for()
    assert page.locator('[aria-pressed="true"]').count() == 1
    page.keyboard.press("Escape")
    panel.wait_for(state="hidden")
    assert page.locator('[aria-pressed="true"]').count() == 0


def test_a_response_that_comes_late_changes_no_other_panel(page):
    held, panel = [], page.get_by_role("complementary")
    page.route("**/api/window?*", lambda route: held.append(route))  # noqa: PLW0108 - it must be a function of Python
    cells(page).nth(8).click()
    cells(page).nth(9).click()
    panel.get_by_text("Loading…").wait_for()
    page.wait_for_function("document.querySelectorAll('[aria-pressed=\"true\"]').length == 1")
    answer_late(page, held.pop(0))
    panel.get_by_text("Loading…").wait_for()  # it waits for the other window still
    page.keyboard.press("Escape")
    answer_late(page, held.pop(0))
    panel.wait_for(state="hidden")


def test_a_response_that_comes_late_changes_no_newer_choice(page):
    held = []
    page.route("**/api/coverage?*", lambda route: held.append(route))  # noqa: PLW0108 - it must be a function of Python
    page.get_by_role("button", name="4 weeks").click()
    page.wait_for_function("document.body.innerText.includes('Loading…')")
    page.get_by_role("button", name="12 weeks").click()
    page.wait_for_timeout(100)
    late, newer = held
    answer_late(page, newer, "coverage")
    chosen = page.locator("[name=start]").input_value()
    answer_late(page, late, "coverage")
    assert page.locator("[name=start]").input_value() == chosen


def answer_late(page, route, what="window"):
    """Let a request go on, and wait until the page has had its response."""
    with page.expect_response(f"**/api/{what}?*"):
        route.continue_()
    page.evaluate("new Promise((done) => setTimeout(done, 200))")


def test_the_manifest_opens_as_a_page(page):
    panel = open_cell(page, 6, HOSTILE)
    with page.context.expect_page() as opened:
        panel.get_by_role("link", name="Manifest").click()
    manifest = opened.value
    manifest.get_by_role("heading", name="Counts").wait_for()
    assert manifest.get_by_text(HOSTILE, exact=True).count() == 1
    assert manifest.title() == f"{VENDOR}, {day(6).start:%Y-%m-%d %H:%M} UTC"
    assert PERSON not in manifest.content()
    assert manifest.evaluate("document.documentElement.dataset.theme") == page.scheme
    assert find_flaws(manifest) == []


def test_rejected_records_are_shown_on_a_click(page):
    panel = open_cell(page, 6)
    reason = panel.get_by_role("row").filter(has_text="Timestamp is missing")
    assert PERSON not in page.content()
    reason.get_by_role("button", name="Show").click()
    panel.get_by_text(f"Contact {PERSON}").wait_for()
    assert '"InteractionType": "EmailSent"' in panel.locator("pre").inner_text()
    assert find_flaws(page) == []


def test_who_may_not_see_records_is_told_why(chromium, url):
    with look(chromium, url, 1280, "light", roles="viewer", expected=("403",)) as page:
        page.goto(f"{url}/coverage")
        panel = open_cell(page, 6)
        panel.get_by_role("button", name="Show").click()
        panel.get_by_text("Forbidden").wait_for()
        assert PERSON not in page.content()


def test_nobody_fills_a_gap_outside_of_airflow(page):
    choose(page, **SPAN)
    assert page.get_by_role("button", name="Fill").count() == 0
