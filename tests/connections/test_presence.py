"""Presence of devices that are judged by the requests of their agents."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from controller.connections.rules import presence_polling
from controller.devices.engine import rhythm
from controller.devices.models import Device, Presence, StatusChange
from controller.devices.rules import record_last_seen
from supervisor_proxy.rules.presence import record_presence
from tests import factories

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = 60


class Agent:
    """A device whose agent polls; the portal looks at its presence every 30 seconds."""

    def __init__(self, time_machine):
        self.clock = time_machine
        self.device = factories.device(factories.organization())
        self.now = START

    def requests(self):
        record_last_seen({self.device.pk: (self.now, "192.0.2.7")})

    def polls_after(self, seconds, *later):
        """Let time pass, then poll; further requests of the same poll follow ``later``."""
        self.passes(seconds)
        self.requests()
        for pause in later:
            self.passes(pause)
            self.requests()

    def passes(self, seconds):
        ends = self.now + timedelta(seconds=seconds)
        while self.now < ends:
            self.now = min(self.now + timedelta(seconds=30), ends)
            self.clock.move_to(self.now, tick=False)
            presence_polling.poll([self.device.pk])

    @property
    def changes(self):
        rows = StatusChange.objects.filter(device=self.device).order_by("at")
        return list(rows.values_list("state", flat=True))

    @property
    def state(self):
        return Presence.objects.get(device=self.device).state


@pytest.fixture
def agent(time_machine):
    time_machine.move_to(START, tick=False)
    return Agent(time_machine)


@pytest.mark.parametrize("minutes", [1, 2, 5, 10, 12])
def test_an_agent_that_polls_at_its_own_interval_stays_online(agent, minutes):
    chance = random.Random(minutes)
    agent.requests()
    for _ in range(12):
        agent.polls_after(minutes * MINUTE + chance.uniform(-5, 15), 3, 9)
    assert agent.changes == ["online"]


def test_an_agent_that_polls_every_half_hour_is_known_after_two_polls(agent):
    agent.requests()
    agent.polls_after(30 * MINUTE)
    agent.polls_after(30 * MINUTE)
    agent.passes(30)
    before = agent.changes
    for _ in range(6):
        agent.polls_after(30 * MINUTE, 4)
    assert agent.state == "online"
    assert agent.changes == before


@pytest.mark.parametrize(
    ("minutes", "still_online", "offline"), [(2, 4.5, 6), (5, 12, 14), (30, 70, 80)]
)
def test_an_agent_that_stops_is_offline_after_two_and_a_half_intervals(
    agent, minutes, still_online, offline
):
    agent.requests()
    for _ in range(5):
        agent.polls_after(minutes * MINUTE)
    agent.passes(still_online * MINUTE)
    assert agent.state == "online"
    agent.passes((offline - still_online) * MINUTE)
    assert agent.state == "offline"
    assert "has not polled for more than" in Presence.objects.get(device=agent.device).reason


def test_an_outage_is_not_taken_for_the_interval(agent):
    agent.requests()
    for _ in range(5):
        agent.polls_after(2 * MINUTE)
    agent.polls_after(180 * MINUTE)
    agent.polls_after(2 * MINUTE)
    assert agent.state == "online"
    agent.passes(6 * MINUTE)
    assert agent.state == "offline"


def test_two_agents_of_a_device_with_requests_in_between_are_one_rhythm(agent):
    agent.requests()
    for _ in range(4):
        agent.polls_after(14 * MINUTE)
        agent.polls_after(MINUTE)
    before = agent.changes
    for _ in range(4):
        agent.polls_after(14 * MINUTE)
        agent.polls_after(MINUTE)
    assert agent.changes == before


def test_a_rhythm_that_becomes_faster_is_followed_after_four_polls(agent):
    agent.requests()
    for _ in range(4):
        agent.polls_after(30 * MINUTE)
    for _ in range(4):
        agent.polls_after(2 * MINUTE)
    agent.passes(6 * MINUTE)
    assert agent.state == "offline"


def test_the_same_moment_twice_and_an_older_one_teach_nothing(agent):
    agent.requests()
    agent.polls_after(5 * MINUTE)
    agent.requests()
    record_last_seen({agent.device.pk: (agent.now - timedelta(minutes=1), "192.0.2.7")})
    assert Presence.objects.get(device=agent.device).gaps == [300]


def test_a_supervisor_that_reports_every_ten_minutes_stays_online(agent):
    device = Device.objects.get(pk=agent.device.pk)
    record_presence(device)
    for _ in range(6):
        agent.passes(10 * MINUTE)
        record_presence(device)
    assert agent.changes == ["online"]


def test_a_rhythm_needs_two_gaps_and_leaves_out_pauses_of_hours():
    assert rhythm.interval([]) == rhythm.interval([3600]) == rhythm.USUAL
    gaps = [120, 121]
    for seconds in (4, 7 * 3600, -60):
        gaps = rhythm.with_gap(gaps, seconds)
    assert gaps == [120, 121]
    assert rhythm.with_gap([1, 2, 3, 4], 119.6) == [2, 3, 4, 120]
    assert rhythm.longest_silence([600, 610]) == 1500
