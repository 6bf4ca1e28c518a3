"""Patterns of MatchRegex against hostile texts: linear time, and the meaning of the ECMAScript engine."""

from __future__ import annotations

import pytest
import regress
from hypothesis import given, settings
from hypothesis import strategies as st

from sipbridge.config.regex.linear_pattern import compile_linear, is_linear
from sipbridge.config.regex.patterns import compile_pattern

_CHARACTERS = "ab1@:.^$-/\u00e9"
_CLASSES = ["[ab]", "[^a]", "[a-c1]", r"[\d-]", "[.+*]"]
_ESCAPES = [r"\.", r"\+", r"\/", r"\d", r"\D", r"\w", r"\W", r"\b", r"\B"]
_ATOMS = st.sampled_from([*_CHARACTERS, *_CLASSES, *_ESCAPES])
_QUANTIFIERS = st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "+?"])
_TEXTS = st.text(alphabet="ab1@:.+-/c\n\r\u2028\u00e9 *", max_size=8)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    # What is repeated begins with a character: of empty repetitions within repetitions the ECMAScript engine, which is
    # the oracle here, eats all the memory there is.
    repeated = st.tuples(st.sampled_from(["a", "1", "[ab]", r"\d", ".", "[^a]"]), inner).map("".join)
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(repeated, _QUANTIFIERS).map(lambda parts: f"({parts[0]}){parts[1]}"),
        st.tuples(repeated, _QUANTIFIERS).map(lambda parts: f"(?:{parts[0]}){parts[1]}"),
    )


@settings(max_examples=400, deadline=None)
@given(st.recursive(_ATOMS, _larger, max_leaves=8), st.lists(_TEXTS, min_size=3, max_size=6))
def test_means_what_ecmascript_means(pattern: str, texts: list[str]) -> None:
    try:
        find = regress.Regex(f"^(?:{pattern})$").find
    except regress.RegressError:
        return
    matches = compile_linear(pattern)
    assert matches is not None
    assert [matches(text) for text in texts] == [find(text) is not None for text in texts]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"sip:([0-9]+)*@x", "sip:" + "1" * 5000 + "@y"),
        (r"sip:(1|1)*@x", "sip:" + "1" * 5000 + "@y"),
        (r"sip:.*.*.*.*.*@x", "sip:" + "@" * 5000 + "@y"),
        # The ECMAScript engine takes all the memory there is for this one.
        (r"(?:(([.+*].)*){1,3})+?", ".c-:. "),
    ],
)
def test_no_text_takes_long(pattern: str, text: str) -> None:
    compiled = compile_pattern(pattern)
    assert compiled.is_quick
    # An engine that goes back takes more than the age of the universe for the first two.
    assert not compiled.matches(text)


@pytest.mark.parametrize("pattern", [r"sip:\+33.*", "sip:.*@example[.]org", "sip:[*+?{|]+x", r"sip:(?:ab\|c\*)"])
def test_one_repetition_is_left_to_the_quicker_engine(pattern: str) -> None:
    assert is_linear(pattern)


@pytest.mark.parametrize("pattern", [r"sip:(a+)+", "sip:(a|a)*", "sip:.*@.*", r"sip:\[a+\]+"])
def test_more_than_one_is_not(pattern: str) -> None:
    assert not is_linear(pattern)
    assert compile_linear(pattern) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        r"sip:(?=a+)a+",
        r"sip:(a+)\1+",
        r"sip:[\b]+a+",
        "sip:[^]+a+",
        r"sip:\u0041+a+",
        r"sip:\s+a+",
        r"\a+a+",
        "sip:a{1001}b+",
    ],
)
def test_what_re2_reads_otherwise_is_left_to_ecmascript(pattern: str) -> None:
    assert compile_linear(pattern) is None
    assert not compile_pattern(pattern).is_quick
