"""The gate: what may be fetched, what robots.txt answers change, and when a host may be asked again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.host_store import MemoryHostStore
from weaver.base.clock import ManualClock
from weaver.base.events import Events
from weaver.base.page import Failure, Fetched, Response, Task, TaskKind
from weaver.base.settings import PolitenessSettings
from weaver.memory.budget import Account
from weaver.politeness import Decision, Gate
from weaver.politeness.robots_policy import ROBOTS_TRIES

ORIGIN = "http://h.org"
DAY_S = 86_400.0
TIMEOUT = Failure("", "timeout", is_retryable=True)
REFUSED = Failure("", "blocked_private")


def page(path: str = "/a", host_id: int = 1, **facts: Any) -> Task:
    return Task(url_id=7, url=f"http://h{'' if host_id == 1 else host_id}.org{path}", host_id=host_id, **facts)


def answer(status: int = 200, body: str | bytes = b"", truncated_by: str = "", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    octets = body.encode() if isinstance(body, str) else body
    return Response("", status, named, octets, wire_bytes=0, elapsed_s=0.1, truncated_by=truncated_by)


class World:
    """One gate with its store and clock; `restart` is what kill -9 and a resume leave of it."""

    def __init__(self, *, retries: int = 2, **settings: Any) -> None:
        self.settings = PolitenessSettings(**({"delay": 1.0} | settings))
        self.retries = retries
        self.clock = ManualClock()
        self.events = Events(self.clock)
        self.store = MemoryHostStore()
        self.restart()

    def restart(self) -> None:
        self.gate = Gate(
            self.settings, retries=self.retries, store=self.store, clock=self.clock, events=self.events, jitter=float
        )

    def visit(self, task: Task, fetched: Fetched) -> float:
        """One request and its end, a tenth of a second later; the seconds until the next one."""
        self.gate.started(task.host_id, "http://h.org")
        self.clock.advance(0.1)
        return self.gate.ready_at(task, fetched) - self.clock.monotonic()

    def ask_robots(self, fetched: Fetched, host_id: int = 1) -> str | None:
        """Fetch robots.txt when the host is ready."""
        self.clock.advance(max(0.0, self.gate.deadline(host_id) - self.clock.monotonic()))
        task = self.gate.robots_task(host_id, ORIGIN)
        self.visit(task, fetched)
        return self.gate.robots_answered(task, fetched)

    def judge(self, path: str = "/a", host_id: int = 1) -> Decision:
        return self.gate.judge(page(path, host_id), ORIGIN)


def test_robots_come_before_the_first_page() -> None:
    """No page of a host is fetched before its robots.txt was asked for."""
    world = World()
    assert world.judge() is Decision.ROBOTS_FIRST
    task = world.gate.robots_task(1, ORIGIN)
    assert (task.kind, task.url, task.host_id, task.robots_for) == (TaskKind.ROBOTS, f"{ORIGIN}/robots.txt", 1, 1)
    assert world.ask_robots(answer(body="User-agent: *\nDisallow: /p")) is None
    assert world.judge("/a") is Decision.ALLOW
    assert world.judge("/p?q") is Decision.ROBOTS


def test_a_request_that_this_machine_could_not_make_says_nothing_of_the_host() -> None:
    """Out of descriptors: robots.txt is neither known nor unreachable, and the host is not backed off from."""
    world = World()
    short = Failure("", "local_limit", is_retryable=True)
    for _ in range(2 * ROBOTS_TRIES):
        assert world.judge() is Decision.ROBOTS_FIRST
        task = world.gate.robots_task(1, ORIGIN)
        assert world.visit(task, short) == world.settings.delay
        assert world.gate.robots_answered(task, short) is None
    assert world.ask_robots(answer(404)) is None
    assert world.judge() is Decision.ALLOW


def test_each_decision_says_why() -> None:
    """A refusal carries the reason that is stored; the others carry none."""
    assert [decision.reason for decision in Decision] == ["", "", "robots", "opt_out", "robots_unreachable"]


def test_robots_can_be_ignored_by_setting() -> None:
    """Who crawls an own site may skip robots.txt altogether."""
    assert World(robots="ignore").judge() is Decision.ALLOW


def test_opt_out_comes_before_everything() -> None:
    """A host on the opt-out list is refused, its robots.txt included."""
    world = World(opt_out=("h.org",), robots="ignore")
    assert world.judge() is Decision.OPT_OUT
    assert world.gate.judge(world.gate.robots_task(1, "http://x.h.org"), "http://x.h.org") is Decision.OPT_OUT


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_4xx_means_there_are_no_rules(status: int) -> None:
    """Unavailable: everything is allowed (2.3.1.3)."""
    world = World()
    world.ask_robots(answer(status, "User-agent: *\nDisallow: /"))
    assert world.judge() is Decision.ALLOW


@pytest.mark.parametrize(
    "fetched", [answer(500), answer(503), answer(599), answer(429), TIMEOUT, answer(200, "", "short")]
)
def test_unreachable_means_nothing_is_allowed(fetched: Fetched) -> None:
    """5xx, network errors, 429 and a body cut short: pages wait for a further try, then are refused (2.3.1.4)."""
    world = World()
    for _ in range(ROBOTS_TRIES):
        assert world.judge() is Decision.ROBOTS_FIRST
        world.ask_robots(fetched)
    assert world.judge() is Decision.ROBOTS_UNREACHABLE
    world.clock.advance(world.settings.max_backoff)
    assert world.judge() is Decision.ROBOTS_FIRST
    world.ask_robots(fetched)
    assert world.judge() is Decision.ROBOTS_UNREACHABLE


def test_tries_for_robots_back_off() -> None:
    """Each further try for an unreachable robots.txt waits longer, even where the status alone looks fine."""
    world = World()
    task = world.gate.robots_task(1, ORIGIN)
    pauses = []
    for fetched in (answer(503), TIMEOUT, answer(200, "", "short")):
        pauses.append(world.visit(task, fetched))
        world.gate.robots_answered(task, fetched)
        world.clock.advance(pauses[-1])
    assert pauses == pytest.approx([2.0, 4.0, 8.0])


def test_a_host_resumes_when_its_robots_come_back() -> None:
    """503 three times, then rules: the host goes on without a restart."""
    world = World()
    for fetched in (answer(503), answer(503), answer(503), answer(200, "User-agent: *\nDisallow: /p")):
        assert world.judge() is Decision.ROBOTS_FIRST
        world.ask_robots(fetched)
    assert (world.judge("/a"), world.judge("/p")) == (Decision.ALLOW, Decision.ROBOTS)


def test_what_no_try_can_mend_is_not_tried_again_at_once() -> None:
    """A robots.txt behind a certificate that fails is unreachable at once: pages don't wait for it."""
    world = World()
    world.ask_robots(Failure("http://a.test/robots.txt", "tls", "expired"))
    assert world.judge() is Decision.ROBOTS_UNREACHABLE


def test_a_host_that_weaver_refuses_itself_is_left_to_the_guard() -> None:
    """Where the address guard refused robots.txt it refuses the pages too, and names the true reason for each."""
    world = World()
    world.ask_robots(REFUSED)
    assert world.judge() is Decision.ALLOW


def test_after_30_days_unreachable_the_last_copy_counts() -> None:
    """Then the rules last seen apply again; where there never were any, all is allowed (2.3.1.4)."""
    for first, expected in (
        (answer(200, "User-agent: *\nDisallow: /p"), Decision.ROBOTS),
        (answer(503), Decision.ALLOW),
    ):
        world = World()
        world.ask_robots(first)
        world.clock.advance(DAY_S)
        for _ in range(ROBOTS_TRIES):
            world.ask_robots(answer(503))
        assert world.judge("/p") is Decision.ROBOTS_UNREACHABLE
        world.clock.advance(30 * DAY_S)
        assert world.judge("/p") is Decision.ROBOTS_FIRST
        world.ask_robots(answer(503))
        assert world.judge("/p") is expected
        assert world.judge("/a") is Decision.ALLOW


def test_the_body_may_end_at_weavers_own_cap() -> None:
    """A robots.txt that weaver itself cut off is read as far as it came (2.5)."""
    world = World()
    world.ask_robots(answer(200, "User-agent: *\nDisallow: /p\n", "robots_cap"))
    assert (world.judge("/a"), world.judge("/p")) == (Decision.ALLOW, Decision.ROBOTS)


def test_redirects_are_followed_across_hosts_for_the_first_host() -> None:
    """Five hops are followed; the rules at their end are the first host's (2.3.1.2)."""
    world = World()
    task = world.gate.robots_task(1, ORIGIN)
    for hop in range(5):
        fetched = answer(301, location=f"http://h{hop + 2}.org/r.txt#x")
        world.gate.started(task.host_id, f"http://h{hop + 2}.org")
        world.gate.ready_at(task, fetched)
        url = world.gate.robots_answered(task, fetched)
        assert url == f"http://h{hop + 2}.org/r.txt"
        task = replace(task, url=url, host_id=hop + 2, redirects=hop + 1)
    assert world.gate.robots_answered(task, answer(200, "User-agent: *\nDisallow: /")) is None
    assert world.judge() is Decision.ROBOTS
    assert world.judge(host_id=6) is Decision.ROBOTS_FIRST


def test_a_sixth_redirect_means_there_are_no_rules() -> None:
    """Beyond five hops, loops included, robots.txt is unavailable (2.3.1.2)."""
    world = World()
    task = replace(world.gate.robots_task(1, ORIGIN), redirects=5)
    assert world.gate.robots_answered(task, answer(302, location="/robots.txt")) is None
    assert world.judge() is Decision.ALLOW


@pytest.mark.parametrize("headers", [{}, {"location": "ftp://x/robots.txt"}, {"location": "http://"}])
def test_a_redirect_to_nowhere_means_there_are_no_rules(headers: dict[str, str]) -> None:
    """A redirect that can't be followed is unavailable, not an error."""
    world = World()
    world.ask_robots(answer(301, **headers))
    assert world.judge() is Decision.ALLOW


def test_a_redirect_to_an_opted_out_host_is_not_followed() -> None:
    """Rules behind an opted-out host can't be read, so nothing is allowed."""
    world = World(opt_out=("gone.org",))
    assert world.ask_robots(answer(301, location="http://www.gone.org/robots.txt")) is None
    assert world.judge() is Decision.ROBOTS_UNREACHABLE


def test_another_hosts_failure_behind_a_redirect_delays_the_next_try() -> None:
    """Where the redirect's target is unreachable, the first host is left alone for the back-off too."""
    world = World()
    task = replace(world.gate.robots_task(1, ORIGIN), url="http://h2.org/r", host_id=2, redirects=1)
    assert world.gate.robots_answered(task, answer(503)) is None
    assert world.gate.deadline(1) == pytest.approx(world.clock.monotonic() + 2.0)


def test_rules_are_believed_for_a_day_at_most() -> None:
    """After 24 h, or the shorter time that the user set, robots.txt is asked for again (2.4)."""
    for ttl, believed_s in ((DAY_S * 9, DAY_S), (3600.0, 3600.0)):
        world = World(robots_ttl=ttl)
        world.ask_robots(answer(200, ""))
        world.clock.advance(believed_s - 1)
        assert world.judge() is Decision.ALLOW
        world.clock.advance(1)
        assert world.judge() is Decision.ROBOTS_FIRST


@pytest.mark.parametrize("step_s", [-400 * DAY_S, -10.0, 2 * DAY_S])
def test_a_stepped_clock_keeps_no_rules_for_ever(step_s: float) -> None:
    """However the wall clock is stepped, a process believes rules for 24 h at most."""
    world = World()
    world.ask_robots(answer(200, ""))
    world.clock.step_wall(step_s)
    world.clock.advance(DAY_S)
    assert world.judge() is Decision.ROBOTS_FIRST


def test_rules_from_the_future_are_asked_for_again() -> None:
    """After a restart, rules that the wall clock says are not yet fetched are not believed."""
    world = World()
    world.ask_robots(answer(200, ""))
    world.restart()
    assert world.judge() is Decision.ALLOW
    world.clock.step_wall(-100.0)
    world.restart()
    assert world.judge() is Decision.ROBOTS_FIRST


def test_crawl_delay_is_obeyed_up_to_its_cap() -> None:
    """The host's Crawl-delay takes effect with its rules, and survives a restart."""
    world = World(max_crawl_delay=20.0)
    world.ask_robots(answer(200, "User-agent: *\nCrawl-delay: 7"))
    assert world.gate.deadline(1) == pytest.approx(world.clock.monotonic() + 7.0)
    assert world.visit(page(), answer()) == pytest.approx(7.0)
    world.restart()
    assert world.visit(page(), answer()) == pytest.approx(7.0)
    world.clock.advance(DAY_S)
    world.ask_robots(answer(200, "User-agent: *\nCrawl-delay: 999"))
    assert world.visit(page(), answer()) == pytest.approx(20.0)


def test_the_delay_counts_from_the_end_of_a_request() -> None:
    """The server never sees two requests closer than the delay, however long the first one took."""
    world = World(delay=3.0)
    world.gate.started(1, ORIGIN)
    world.clock.advance(10.0)
    assert world.gate.ready_at(page(), answer()) == world.clock.monotonic() + 3.0
    assert world.gate.deadline(1) == world.clock.monotonic() + 3.0


def test_requests_beside_each_other_start_a_delay_apart() -> None:
    """With several requests at one host, starts keep the delay among each other."""
    world = World(delay=3.0, per_host=4)
    world.gate.started(1, ORIGIN)
    assert world.gate.next_start(1) == world.clock.monotonic() + 3.0
    world.clock.advance(5.0)
    assert world.gate.next_start(1) <= world.clock.monotonic()
    world.gate.ready_at(page(), answer())
    assert world.gate.next_start(1) == world.clock.monotonic() + 3.0


def test_failures_in_a_row_back_off_and_a_success_resets() -> None:
    """Each failure doubles the pause; an answer that is none ends the row."""
    world = World()
    pauses = []
    for fetched in (answer(500), TIMEOUT, answer(503), answer(404), answer(500)):
        pauses.append(world.visit(page(), fetched))
        world.clock.advance(pauses[-1])
    assert pauses == pytest.approx([2.0, 4.0, 8.0, 1.0, 2.0])


def test_requests_that_fail_together_count_once() -> None:
    """Eight requests under way when a host breaks down are one failure, not eight doublings."""
    world = World(per_host=8)
    for _ in range(8):
        world.gate.started(1, ORIGIN)
    deadlines = {world.gate.ready_at(page(), answer(503)) for _ in range(8)}
    assert deadlines == {world.clock.monotonic() + 2.0}


def test_retry_after_is_obeyed_and_survives_kill() -> None:
    """The time that a host names holds, also from the disk after kill -9."""
    world = World()
    assert world.visit(page(), answer(503, retry_after="600")) == pytest.approx(600.0)
    world.restart()
    assert world.gate.deadline(1) == pytest.approx(world.clock.monotonic() + 600.0)


def test_a_resumed_crawl_keeps_the_delay_to_hosts_asked_before() -> None:
    """After kill -9 nobody knows when the last request was: the delay counts from the start of the new process."""
    world = World(delay=5.0)
    world.gate.started(1, ORIGIN)
    world.restart()
    assert world.gate.deadline(1) == world.clock.monotonic() + 5.0
    assert world.gate.deadline(2) == 0.0


def test_a_deadline_from_a_clock_set_back_is_cut() -> None:
    """A wall clock that was set back can't hold a host longer than the longest pause there is."""
    world = World(max_retry_after=600.0)
    world.visit(page(), answer(503, retry_after="600"))
    world.clock.step_wall(-1000 * DAY_S)
    world.restart()
    assert world.gate.deadline(1) <= world.clock.monotonic() + 600.0


def test_a_request_given_up_counts_like_one() -> None:
    """A request that was cancelled may have been seen: its delay holds."""
    world = World()
    world.gate.started(1, ORIGIN)
    world.gate.release(1)
    assert world.gate.deadline(1) == world.clock.monotonic() + 1.0


def test_only_what_may_do_better_is_retried_and_not_for_ever() -> None:
    """429, 503 and retryable failures are tried again, up to the number that is set."""
    gate = World(retries=2).gate
    fetches = (answer(429), answer(503), TIMEOUT, answer(500), answer(404), answer(200), REFUSED)
    assert [gate.should_retry(page(), fetched) for fetched in fetches] == [True] * 3 + [False] * 4
    assert gate.should_retry(page(attempts=1), TIMEOUT)
    assert not gate.should_retry(page(attempts=2), TIMEOUT)
    assert not gate.should_retry(gate.robots_task(1, ORIGIN), TIMEOUT)


def test_rules_that_left_ram_are_read_from_the_store() -> None:
    """A full robots account costs a look-up, not a verdict."""
    world = World()
    account = Account("robots", 1500)
    world.gate = Gate(
        world.settings, retries=0, store=world.store, clock=world.clock, events=world.events, robots_account=account
    )
    for host_id in range(1, 30):
        world.ask_robots(answer(200, f"User-agent: *\nDisallow: /p{host_id}/"), host_id)
    verdicts = [world.judge(f"/p{host_id}/x", host_id) for host_id in range(1, 30)]
    assert set(verdicts) == {Decision.ROBOTS}
    assert account.used <= account.limit
    world.gate.check()


def test_a_host_that_needs_nothing_costs_no_disk() -> None:
    """Ordinary pages of a known host neither load nor save its record."""
    world = World()
    world.ask_robots(answer(200, ""))
    loads, saves = world.store.loads, world.store.saves
    for _ in range(50):
        world.clock.advance(1.0)
        assert world.judge() is Decision.ALLOW
        world.visit(page(), answer())
    assert (world.store.loads, world.store.saves) == (loads, saves)


def test_what_a_person_should_know_becomes_an_event() -> None:
    """Overload and unreachable robots are told, with the host's name."""
    world = World()
    world.ask_robots(answer(503))
    kinds = {event.kind: event.facts["origin"] for event in world.events.newest()}
    assert kinds == {"host_overloaded": ORIGIN, "robots_unreachable": ORIGIN}


def test_statistics_count_decisions() -> None:
    """What was decided, and what the stores hold, can be asked for."""
    world = World(opt_out=("x.org",))
    world.judge()
    world.gate.judge(Task(1, "http://x.org/", 2), "http://x.org")
    statistics = world.gate.statistics()
    assert statistics.decisions == {"robots_first": 1, "opt_out": 1}
    assert (statistics.hosts.current, statistics.robots.current) == (1, 0)


def test_a_damaged_copy_of_robots_is_no_crash() -> None:
    """Bytes in the store that are no packed robots.txt count as none."""
    world = World()
    world.ask_robots(answer(200, "User-agent: *\nDisallow: /"))
    world.store.records[1] = replace(world.store.records[1], robots_body=b"\x00broken", robots_status="strange")
    world.restart()
    assert world.judge() is Decision.ROBOTS_FIRST
    world.store.records[1] = replace(world.store.records[1], robots_status="ok")
    world.restart()
    assert world.judge() is Decision.ALLOW
