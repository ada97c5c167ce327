"""The numbers by which a connection looks for the rate that a vendor accepts."""

from __future__ import annotations

from dataclasses import dataclass

#: Requests per second that no longer hold anything back.
UNLIMITED = 100_000.0


@dataclass(frozen=True, slots=True)
class RateTuning:
    """How a connection looks for the rate that a vendor accepts. The defaults are choices, tested in virtual time."""

    #: A run's first requests per second: enough for full speed within half a second, too few for a burst.
    first_rate: float = 150.0
    #: The rate doubles in so many seconds, until a refusal or `UNLIMITED`, and so many times at once after a silence.
    doubling_seconds: float = 0.25
    most_doublings: float = 20.0

    #: Refusals teach a limit after so many accepted requests, or if so many are refused at once. Else they may be
    #: stray: then two in a row must agree within a factor, or four where no more than a handful was accepted.
    enough_accepted: int = 50
    enough_refused: int = 3
    agree_factor: float = 2.0
    handful: int = 5

    #: A learned rate is lower by this share than what was seen, for what clocks and networks blur.
    margin: float = 0.005
    #: A further refusal lowers the rate by this share. Each one that follows within ``soon_periods`` doubles the share,
    #: up to the most.
    lower_share: float = 0.01
    most_lower_share: float = 0.25
    soon_periods: float = 2.0
    #: What tasks report together counts, unless it is less than this share of what one task's own requests suggest.
    least_reported: float = 0.8
    #: Two measures of what flowed in between refusals are the same within this share, or so many requests. Refusals are
    #: so many periods apart at most: others say more about the network than about the limit.
    same_share: float = 0.1
    same_requests: float = 1.5
    flow_periods: float = 10.0
    #: The rate is higher by this share than the measured flow. Too low a rate would stay; too high a one is corrected.
    flow_surplus: float = 0.0

    #: What was learned holds for so many seconds, and at least for two periods. Then more is tried: another task of the
    #: connection may have ended, or the limit was temporary. Each attempt that fails doubles the next wait, up to
    #: ``most_hold_factor``.
    hold_seconds: float = 60.0
    most_hold_factor: float = 2.0
    #: Attempts are more by this share at first, then by twice the last share, up to the most. Each lasts until a bucket
    #: that holds a period's requests would be empty.
    growth_share: float = 0.1
    most_growth_share: float = 0.5

    #: How fast the measure of a quick response follows slower ones, and the measure of the usual delay.
    slower_weight: float = 0.002
    delay_weight: float = 0.001
    #: On average, requests count as no more than this share of the period later than they were sent.
    most_delay_share: float = 0.02

    #: Missed steps are made up for within this share of a period, and lost after it; before the first refusal, within
    #: so many seconds.
    slack_share: float = 0.1
    first_slack: float = 0.02
    #: Requests keep this share of the distance at which those in flight would leave evenly; a delay below so many
    #: seconds is caught up. Otherwise responses that came together would send the next requests together, which then
    #: wait for each other at the vendor, in ever larger crowds.
    even_share: float = 0.9
    catch_up_seconds: float = 0.002
