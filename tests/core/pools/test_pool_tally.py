"""The totals of a pool equal those of counting every line."""

from __future__ import annotations

from collections import Counter

from core_examples import FORBIDDEN, REGISTERED, account, pool
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.gateways.registration import Registration, RegistrationStatus, next_registration
from sipbridge.core.pools.account_pool import AccountPool

_NO_ANSWER = Registration(RegistrationStatus.FAILED, "no answer", since=7.0)
_STATES = st.sampled_from([REGISTERED, FORBIDDEN, _NO_ANSWER, Registration()])
_WHOSE = st.integers(0, 4)
_HAPPENINGS = st.lists(
    st.tuples(st.just("registration"), _WHOSE, _STATES)
    | st.tuples(st.just("take") | st.just("give back") | st.just("remove") | st.just("add"), _WHOSE, st.none())
    | st.tuples(st.just("drain"), _WHOSE, st.booleans()),
    max_size=40,
)


@given(happenings=_HAPPENINGS)
def test_counts_are_right_whatever_happens(happenings: list[tuple[str, int, Registration | bool | None]]) -> None:
    accounts = [account(f"sip:user{number}@example.org") for number in range(5)]
    made = pool(*accounts)
    # Those that were removed may still have calls, and may be told about.
    lines = list(made)
    for what, whose, how in happenings:
        line = lines[whose]
        match what, how:
            case "registration", Registration():
                line.set_registration(how)
            case "take", _ if made.get(line.id) is line:
                line.take()
            case "give back", _ if line.calls:
                line.give_back()
            case "remove", _ if made.get(line.id) is line:
                made.remove(line)
            case "add", _ if made.get(line.id) is None:
                before = line.calls
                lines[whose] = made.add(accounts[whose])
                assert lines[whose].calls == before
            case "drain", bool():
                line.set_drained(how)
        assert_right(made, sum(each.calls for each in lines))


def assert_right(made: AccountPool, calls: int) -> None:
    tally = made.tally
    registrations = Counter(line.registration.status for line in made)
    assert tally.calls == calls
    assert tally.registrations == {status: registrations[status] for status in RegistrationStatus}
    failed = [line for line in made if line.registration.status is RegistrationStatus.FAILED]
    assert set(tally.failed) == {line.id for line in failed}
    assert tally.failures == Counter(line.registration.reason for line in failed)
    assert set(tally.drained) == {line.id for line in made if line.is_drained}


def test_who_has_failed_for_longest_comes_first() -> None:
    made = pool(*(account(f"sip:{user}@example.org") for user in "abc"))
    a, b, c = made
    for line in (c, a, b):
        line.set_registration(FORBIDDEN)
    a.set_registration(REGISTERED)
    c.set_registration(_NO_ANSWER)
    a.set_registration(FORBIDDEN)
    assert list(made.tally.failed.values()) == [c, b, a]


def test_a_failure_is_as_old_as_the_first_of_its_kind_or_another() -> None:
    registration = next_registration(REGISTERED, "FAILED", "503", "Service Unavailable", now=10.0)
    registration = next_registration(registration, "TRYING", now=15.0)
    registration = next_registration(registration, "FAILED", "403", "Forbidden", now=20.0)
    assert (registration.reason, registration.since) == ("403 Forbidden", 10.0)
    registration = next_registration(registration, "REGED", now=30.0)
    registration = next_registration(registration, "FAILED", "403", "Forbidden", now=40.0)
    assert registration.since == 40.0
