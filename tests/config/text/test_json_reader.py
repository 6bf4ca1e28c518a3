"""JSON texts: values, positions, and messages about syntax errors."""

from __future__ import annotations

import json

import pytest
from config_examples import without_marks
from hypothesis import given, settings
from hypothesis import strategies as st

from sipbridge.config.text.json_reader import MAX_DEPTH, parse_json

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON, st.booleans(), st.sampled_from([None, 0, 2]))
def test_reads_what_the_standard_library_writes(value: object, ensure_ascii: bool, indent: int | None) -> None:
    read = parse_json(json.dumps(value, ensure_ascii=ensure_ascii, indent=indent))
    assert (read.mistakes, read.duplicates) == ((), ())
    assert read.value == value
    assert type(read.value) is type(value)


@settings(deadline=None)
@given(st.text(st.sampled_from('{}[]:,"\\/u0159eE+-.truefalsn \n\t\u00a0é'), max_size=20))
def test_accepts_what_the_standard_library_accepts(text: str) -> None:
    try:
        expected = json.loads(text)
    except json.JSONDecodeError:
        assert parse_json(text).mistakes or "\u00a0" in text
    else:
        read = parse_json(text)
        assert read.mistakes or read.value == expected or read.duplicates


@settings(deadline=None)
@given(st.text(), st.data())
def test_place_of_every_character_of_a_string(text: str, data: st.DataObject) -> None:
    written = [data.draw(st.sampled_from([json.dumps(c)[1:-1], json.dumps(c, ensure_ascii=False)[1:-1]])) for c in text]
    read = parse_json('[ "' + "".join(written) + '"]')
    assert read.value == [text]
    for offset in range(len(text) + 1):
        assert read.index_of((0,), offset=offset) == 3 + len("".join(written[:offset]))


def test_places() -> None:
    text = '{\n "a": [1, {"b\\u0062": "x"}],\n\t"é": null}'
    read = parse_json(text)

    def place(*path: str | int, at_key: bool = False) -> tuple[int, int]:
        return read.line_and_column(read.index_of(path, at_key=at_key))

    assert place() == (1, 1)
    assert place("a") == (2, 7)
    assert place("a", at_key=True) == (2, 2)
    assert place("a", 0) == (2, 8)
    assert place("a", 1) == (2, 11)
    assert place("a", 1, "bb") == (2, 23)
    assert place("a", 1, "bb", at_key=True) == (2, 12)
    assert place("é") == (3, 7)
    assert place("a", 1, "missing", "deeper") == place("a", 1)
    assert place("a", 7) == place("a")


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        pytest.param("▲", ["expected a value, found the end of the file"], id="empty"),
        pytest.param('{"a": ▲', ["expected a value, found the end of the file"], id="ends before a value"),
        pytest.param('\n{"a": [1]▲', ['the file ends before the "{" of line 2 is closed'], id="ends in an object"),
        pytest.param('["a",\n▲"b]\n', ["this string has no closing quotation mark on its line"], id="open string"),
        pytest.param("[1▲,]", ['remove this comma: nothing follows it before the "]"'], id="last comma in an array"),
        pytest.param(
            '{"a": 1▲, }', ['remove this comma: nothing follows it before the "}"'], id="last comma in an object"
        ),
        pytest.param(
            '{"a": 1\n ▲"b": 2}',
            [
                'expected "," or "}", found a quotation mark ": is a comma missing before it, '
                "or a backslash before a quotation mark in a string?"
            ],
            id="no comma",
        ),
        pytest.param('[\n{"a": 1▲]', ['expected "}" to close what line 2 opens, found "]"'], id="wrong bracket"),
        pytest.param('{"a" ▲1}', ['expected ":" after a name, found text'], id="no colon"),
        pytest.param("{▲a: 1}", ["expected a name in double quotation marks, found text"], id="bare name"),
        pytest.param(
            "{▲'a': 1}", ["expected a name in double quotation marks, found a quotation mark '"], id="single quotes"
        ),
        pytest.param("[▲“a”]", ["expected a value, found a quotation mark “"], id="curly quotes"),
        pytest.param("[▲\u200b1]", ["expected a value, found U+200B (zero width space)"], id="invisible character"),
        pytest.param("[▲// x\n1]", ["expected a value, found a comment (JSON has none)"], id="comment"),
        pytest.param(
            "[1] ▲2", ["text after the end of the value: a JSON file holds one object or array"], id="two values"
        ),
        pytest.param("[▲True]", ["write true instead of True"], id="python"),
        pytest.param("[▲no]", ["write false instead of no"], id="yaml"),
        pytest.param("[▲word]", ["not a value: put strings in double quotation marks"], id="bare word"),
        pytest.param(
            "[▲+33]",
            ["not a number as JSON writes them, such as 20 or 0.5; put strings in double quotation marks"],
            id="number with a sign",
        ),
        pytest.param("[▲" + "1" * 41 + "]", ["this number has 41 digits; the limit is 40"], id="long number"),
        pytest.param("[" * MAX_DEPTH + "▲[", [f"nested more than {MAX_DEPTH} levels deep"], id="deep"),
        pytest.param(
            r'["é▲\x", "▲\u12", "▲\ud800", "\ud83d\ude00"]',
            [
                r"\x is not an escape that JSON knows: write \\x for a backslash and x, or x without the backslash",
                r"\u needs four hexadecimal digits, as in \u00e9",
                r"\ud800 is half of a surrogate pair: write both halves, or the character itself",
            ],
            id="all bad escapes",
        ),
        pytest.param(
            '["▲\t▲\x00"]',
            [r"U+0009 inside a string: write \t", r"U+0000 inside a string: write \u0000"],
            id="controls",
        ),
    ],
)
def test_mistake(text: str, messages: list[str]) -> None:
    text, places = without_marks(text)
    read = parse_json(text)
    assert [mistake.message for mistake in read.mistakes] == messages
    assert ["{}:{}".format(*read.line_and_column(mistake.at)) for mistake in read.mistakes] == places


def test_duplicate_keys_are_all_found_and_the_first_is_kept() -> None:
    text, places = without_marks('{"a": 1,\n▲"a": 2, "b": {"c": 1, ▲"c": 2}}')
    read = parse_json(text)
    assert read.value == {"a": 1, "b": {"c": 1}}
    assert ["{}:{}".format(*read.line_and_column(mistake.at)) for mistake in read.duplicates] == places
    assert read.duplicates[0].message == '"a" is already set on line 1: keep one of the two'


@pytest.mark.parametrize(
    ("text", "index"),
    [
        pytest.param('{"a\u00a0\\"\u00a0": 1}', None, id="only in strings"),
        pytest.param('{"a\u00a0":\u00a01}', 6, id="between"),
        pytest.param('\u00a0["unclosed', 0, id="before a mistake"),
        pytest.param("[]", None, id="none"),
    ],
)
def test_first_no_break_space(text: str, index: int | None) -> None:
    assert parse_json(text).first_no_break_space == index
