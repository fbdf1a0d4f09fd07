"""Whether a click was made by a person or a machine: each signal by name, its smallest example and its near miss."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from nurture.journey.events import Event, Kind
from nurture.journey.verdict import AGENTS, UNSUBSCRIBE_PAGE, Elsewhere, judge

LEFT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"


def click(seconds=600.0, *, url="https://a.example/1", ip="203.0.113.7", agent=FIREFOX, **rest):
    return Event(Kind.CLICKED, LEFT + timedelta(seconds=seconds), url=url, ip=ip, agent=agent, **rest)


def verdict(first, *others, sent_at=LEFT):
    """The verdict on the first of these clicks; it must be the same in any order of the reports."""
    clicks = [first, *others]
    found = judge(clicks, first, sent_at)
    for seed in range(6):
        shuffled = clicks[:]
        Random(seed).shuffle(shuffled)
        assert judge(shuffled, first, sent_at) == found
    return found


def machine(first, *others, sent_at=LEFT):
    """The reasons for which this is a machine."""
    found = verdict(first, *others, sent_at=sent_at)
    assert not found.human
    return found.reasons


def test_a_plain_click_is_human_and_says_what_was_looked_for():
    assert verdict(click()).human
    assert verdict(click()).reasons == ("no machine's signs",)


def test_head_is_a_machine_and_get_is_not():
    assert machine(click(method="HEAD")) == ("asked with HEAD, as no reader does",)
    assert verdict(click(method="GET")).human


def test_what_the_provider_marks_as_a_machine_is_one():
    assert machine(click(machine_hint="sg_machine_open")) == ("marked as a machine: sg_machine_open",)


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_that_calls_itself_a_machine_is_one(agent):
    assert machine(click(agent=f"Mozilla/5.0 (compatible; {agent.upper()}1.0)"))[0].startswith("the agent calls itself")


@pytest.mark.parametrize("agent", [FIREFOX, IPHONE])
def test_a_browser_is_no_machine(agent):
    assert verdict(click(agent=agent)).human


def links(count, seconds):
    """This many different links of one mail, spread evenly over so many seconds."""
    return [click(600 + seconds * n / (count - 1), url=f"https://a.example/{n}") for n in range(count)]


def test_three_links_within_ten_seconds_are_a_machine_whichever_of_them_is_judged():
    first, second, third = links(3, 10)
    why = ("3 links of one mail within 10 seconds",)
    assert machine(first, second, third) == machine(second, first, third) == machine(third, first, second) == why


def test_two_links_at_once_are_a_person():
    assert verdict(*links(2, 0)).human


def test_three_links_in_more_than_ten_seconds_are_a_person():
    for one in links(3, 10.1):
        assert judge(links(3, 10.1), one, LEFT).human


def test_one_link_three_times_is_a_person():
    assert verdict(click(600), click(601), click(602)).human


def test_the_stretch_of_links_need_not_begin_at_the_click():
    assert machine(click(605, url="b"), click(600, url="a"), click(609, url="c"))


def test_links_that_another_rush_fetched_later_do_not_condemn_a_click():
    assert verdict(click(600), *[replace(one, at=one.at + timedelta(seconds=60)) for one in links(4, 2)]).human


def networks(*ips, seconds=120):
    return [click(600 + seconds * n / (len(ips) - 1), ip=ip) for n, ip in enumerate(ips)]


def test_three_networks_within_two_minutes_are_a_machine():
    assert machine(*networks("203.0.113.7", "198.51.100.7", "192.0.2.7")) == (
        "3 networks on one mail within 2 minutes",
    )
    assert machine(*networks("2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1"))


def test_three_addresses_of_one_network_are_a_person():
    assert verdict(*networks("203.0.113.7", "203.0.113.8", "203.0.113.9")).human
    assert verdict(*networks("2001:db8:1::1", "2001:db8:1:2::1", "2001:db8:1:3::1")).human


def test_two_networks_are_a_person_who_left_the_house():
    assert verdict(*networks("203.0.113.7", "198.51.100.7")).human


def test_three_networks_in_more_than_two_minutes_are_a_person():
    assert verdict(*networks("203.0.113.7", "198.51.100.7", "192.0.2.7", seconds=121)).human


@pytest.mark.parametrize("ip", ["", "unknown", "203.0.113.7, 198.51.100.7", "999.1.1.1"])
def test_what_is_no_address_is_no_network(ip):
    assert verdict(*networks("203.0.113.7", "198.51.100.7", ip)).human


@pytest.mark.parametrize("url", [UNSUBSCRIBE_PAGE, "https://mail.example/u/abc"])
@pytest.mark.parametrize("seconds", [-59, 0, 59, 60])
def test_the_unsubscribe_link_within_a_minute_marks_the_other_click_as_a_machine(url, seconds):
    why = "the unsubscribe link was fetched as well, within a minute"
    assert machine(click(), click(600 + seconds, url=url)) == (why,)


@pytest.mark.parametrize("seconds", [-61, 61])
def test_the_unsubscribe_link_more_than_a_minute_away_is_a_person(seconds):
    assert verdict(click(), click(600 + seconds, url=UNSUBSCRIBE_PAGE)).human


GATE = "40.94.0.7"
"""An address of the internet; those that documents use are not."""


def others(count, minutes=10.0, *, ip=GATE, agent=FIREFOX):
    """Clicks from one place for people at so many domains, this click's own among them, over so many minutes."""
    return [
        Elsewhere(ip, agent, LEFT + timedelta(seconds=600, minutes=minutes * n / (count - 1)), f"{n}.example")
        for n in range(count)
    ]


def test_ten_domains_within_ten_minutes_of_one_address_are_a_gateway_whenever_it_came():
    why = ("one address clicked for people at 10 domains within 10 minutes",)
    for at in (600, 900, 1200):
        one = click(at, ip=GATE)
        assert judge([one], one, LEFT, others(10)).reasons == why
        assert judge([one], one, LEFT, others(10)[::-1]).reasons == why


@pytest.mark.parametrize(
    "seen",
    [others(9), others(10, 10.1), others(10, ip="40.94.0.8"), others(10, agent=IPHONE), [others(10)[0]] * 20,
     [replace(one, at=one.at + timedelta(minutes=11)) for one in others(10)]],
    ids=["nine", "longer", "of its neighbour", "by another agent", "one domain", "later"],
)  # fmt: skip
def test_fewer_or_slower_or_from_elsewhere_are_people(seen):
    one = click(ip=GATE)
    assert judge([one], one, LEFT, seen).human


@pytest.mark.parametrize("ip", ["127.0.0.1", "10.0.0.5", "::1", "203.0.113.7", "", "unknown"])
def test_an_address_that_is_none_of_the_internet_is_a_proxy_of_ours_and_no_gateway(ip):
    one = click(ip=ip)
    assert judge([one], one, LEFT, others(10, ip=ip)).human


def test_looking_at_the_unsubscribe_page_alone_is_human():
    assert verdict(click(url=UNSUBSCRIBE_PAGE)).human
    assert verdict(click(url=UNSUBSCRIBE_PAGE), click(601, url=UNSUBSCRIBE_PAGE)).human


def test_reports_of_other_kinds_are_no_company():
    opens = [replace(one, kind=Kind.OPENED) for one in links(5, 1)]
    assert verdict(click(), *opens, replace(click(url=UNSUBSCRIBE_PAGE), kind=Kind.DELIVERED)).human


def test_a_click_less_than_two_seconds_after_the_mail_left_is_weak_and_alone_human():
    found = verdict(click(1.9))
    assert found.human
    assert found.reasons == ("no machine's signs", "less than 2 seconds after the mail left")


def test_two_seconds_are_long_enough():
    assert verdict(click(2)).reasons == ("no machine's signs",)


def test_a_click_before_the_mail_left_by_another_clock_is_only_weak():
    assert verdict(click(-5)).human


def test_an_agent_that_is_not_named_is_weak_and_alone_human():
    found = verdict(click(agent=""))
    assert found.human
    assert found.reasons == ("no machine's signs", "no agent is named")


def test_two_weak_signs_are_a_machine_and_both_are_told():
    assert machine(click(1, agent="")) == ("less than 2 seconds after the mail left", "no agent is named")


def test_when_nobody_knows_when_the_mail_left_no_click_is_too_early():
    assert verdict(click(1, agent=""), sent_at=None).human


def test_several_strong_signs_are_all_told():
    bot = click(agent="curl/8.5", method="HEAD", machine_hint="bot")
    assert machine(bot) == (
        "asked with HEAD, as no reader does",
        "marked as a machine: bot",
        "the agent calls itself curl",
    )


def test_the_same_report_twice_changes_no_verdict():
    for company in (links(2, 1), links(3, 10), networks("203.0.113.7", "198.51.100.7", seconds=1)):
        once = judge(company, company[0], LEFT)
        assert judge(company * 2, company[0], LEFT) == once


def test_a_verdict_on_one_click_of_a_rush_is_the_verdict_on_each():
    rush = links(5, 8)
    assert {judge(rush, one, LEFT).human for one in rush} == {False}
