"""The totals of the page about a person: what happened on which channel, and when."""

from __future__ import annotations

from collections import Counter

from airflow_provider_interactions.person.html import Html, element, join_html
from airflow_provider_interactions.person.page_rows import PageCounts
from airflow_provider_interactions.person.report import pluralize
from airflow_provider_interactions.person.words import ACTION_WORDS, CHANNEL_WORDS

#: The most bars of the timeline. It shows days if they fit, otherwise months, years or centuries.
BARS = 36


def write_totals(counts: PageCounts) -> Html:
    """The numbers of records by channel and by time; empty if there are none."""
    if not counts.rows:
        return Html("")
    order = sorted(counts.actions.items(), key=lambda item: (-item[1].total(), item[0]))
    rows = [
        element("tr", element("td", CHANNEL_WORDS[channel]), element("td", _list_actions(actions)), _write_sum(actions))
        for channel, actions in order
    ]
    if counts.rejects:
        rows.append(element("tr", element("td", "Could not be read"), element("td", ""), _write_sum(counts.rejects)))
    return join_html(
        [
            Html('<h2>In short</h2>\n<table class="totals">'),
            Html("<thead><tr><th>Channel</th><th>What happened</th><th></th></tr></thead><tbody>"),
            *rows,
            Html("</tbody></table>\n<h2>When</h2>\n"),
            _write_timeline(counts),
        ]
    )


def _list_actions(actions: Counter[str]) -> str:
    return ", ".join(f"{ACTION_WORDS[action]} {n:,}" for action, n in actions.most_common())


def _write_sum(counter: Counter[str]) -> Html:
    return element("td", f"{counter.total():,}", class_="n")


def _write_timeline(counts: PageCounts) -> Html:
    bars = _choose_bars(counts.days)
    most = max(bars.values(), default=1)
    rows = [
        Html(
            f'<tr><td>{name}</td><td><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect '
            f'width="{max(0.5, 100 * n / most):.1f}" height="10"/></svg></td><td class="n">{n:,}</td></tr>\n'
        )
        for name, n in bars.items()
    ]
    undated = element("p", f"{pluralize(counts.undated, 'record')} without a readable time.") if counts.undated else ""
    return join_html([element("table", *rows, class_="bars"), Html(undated)])


def _choose_bars(days: Counter[tuple[int, int, int]]) -> dict[str, int]:
    """The number of records in each period that has some, in order of time."""
    names = ("{0:04}-{1:02}-{2:02}", "{0:04}-{1:02}", "{0:04}")
    for name in names:
        bars = Counter[str]()
        for day in sorted(days):
            bars[name.format(*day)] += days[day]
        if len(bars) <= BARS:
            return bars
    centuries = Counter[str]()
    for day in sorted(days):
        centuries[f"{day[0] // 100 * 100:04} to {day[0] // 100 * 100 + 99:04}"] += days[day]
    return centuries
