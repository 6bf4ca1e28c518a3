"""Patterns and the Request-URIs that they match."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipbridge.config.regex.patterns import PatternError, compile_pattern, is_never_a_request_uri


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        pytest.param(
            r"sip:\+33.*", ["sip:+33", "sip:+336@x"], ["sip:+34@x", "xsip:+33", "SIP:+33"], id="from the first"
        ),
        pytest.param("sip:a@b", ["sip:a@b"], ["sip:a@b.c", "sip:a@b;x"], id="to the last character"),
        pytest.param("sip:a|sip:b", ["sip:a", "sip:b"], ["sip:ab", "sip:asip:b"], id="alternatives"),
        pytest.param("^sip:a$", ["sip:a"], ["sip:ab"], id="own anchors"),
        pytest.param("sip:[[:digit:]]+@x", ["sip:123@x"], ["sip:d@x", "sip:12a@x", "sip:[@x"], id="digits"),
        pytest.param("sip:[^[:alpha:]_]@x", ["sip:1@x"], ["sip:a@x", "sip:_@x"], id="not letters"),
        pytest.param(r"sip:[\][:d:]]+", ["sip:]5"], ["sip:d", "sip:["], id="after an escaped bracket"),
        pytest.param(r"sip:\[[:d:]]", ["sip:[:]", "sip:[d]"], ["sip:5", "sip:[5]"], id="not in brackets"),
        pytest.param("sip:[[:punct:]]+", ["sip:!/:@[`{~\\-"], ["sip:a"], id="punctuation"),
        pytest.param(
            "[[:upper:]][[:lower:]][[:alnum:]][[:xdigit:]][[:w:]][[:blank:]][[:space:]][[:cntrl:]][[:graph:]][[:print:]]",
            ["Zz0f_\t\n\x7f! "],
            ["zz0f_\t\n\x7f! ", "Zz0g_\t\n\x7f! ", "Zz0f_\n\n\x7f! ", "Zz0f_\t\n\x7f  "],
            id="all other classes",
        ),
        pytest.param("sip:(?=a)[^@]+@(x|y)", ["sip:ab@y"], ["sip:b@y"], id="look-ahead"),
        pytest.param(r"sip:(.)\1", ["sip:aa"], ["sip:ab"], id="reference"),
        pytest.param("sip:.", ["sip:\udcff", "sip:é"], ["sip:"], id="bytes that are not UTF-8"),
    ],
)
def test_matches_the_whole(pattern: str, matching: list[str], others: list[str]) -> None:
    matches = compile_pattern(pattern).matches
    assert [text for text in matching + others if matches(text)] == matching


@pytest.mark.parametrize("pattern", ["a)(b", "a)|(b", "(?:a", "a)(?:b"])
def test_parentheses_must_be_balanced_by_themselves(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", ["[[.a.]]", "[[=a=]]"])
def test_collating_elements_are_not_read_as_something_else(pattern: str) -> None:
    with pytest.raises(PatternError, match="collating element") as caught:
        compile_pattern(pattern)
    assert caught.value.offset == 1


@pytest.mark.parametrize(
    ("pattern", "offset"),
    [
        pytest.param("+33", 0, id="first"),
        pytest.param("a(*b)", 2, id="in a group"),
        pytest.param("a(?:+)", 4, id="in a group that does not capture"),
        pytest.param("a|?b", 2, id="in an alternative"),
        pytest.param("a{2}{3}", 4, id="counts"),
        pytest.param(r"\++[+]+(+)", 8, id="after real ones"),
        pytest.param("a+?+", 3, id="after a lazy one"),
        pytest.param("[[:digit:]]++", 12, id="after a class"),
    ],
)
def test_nothing_to_repeat(pattern: str, offset: int) -> None:
    with pytest.raises(PatternError, match="nothing to repeat") as caught:
        compile_pattern(pattern)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    "pattern", [r"\+33.*", "^33", "tel:.*", "sips:.*", "0", "@x", "[[:num:]]", "[[:digit:]", r"\*1"]
)
def test_never_a_request_uri_is_right(pattern: str) -> None:
    try:
        matches = compile_pattern(pattern).matches
    except PatternError:
        return
    assert is_never_a_request_uri(pattern)
    assert not matches("sip:+33@x")


@pytest.mark.parametrize(
    "pattern", ["sip:.*", "SIPS:.*", ".*", "[0-9s].*", "(sip:)?.*", "3?sip:.*", "3|sip:.*", "3*sip:", r"\w+:.*"]
)
def test_what_may_match_is_not_warned_about(pattern: str) -> None:
    assert not is_never_a_request_uri(pattern)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escaped_text_matches_itself_alone(text: str) -> None:
    pattern = "".join(f"\\u{ord(c):04x}" if c < "\u0100" else c for c in text)
    matches = compile_pattern(pattern).matches
    assert matches(text)
    assert not matches(text + "x")
