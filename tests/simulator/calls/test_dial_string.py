"""Parsing of dial strings: every row was tried on a FreeSWITCH 1.10.12 and its INVITEs examined."""

from __future__ import annotations

import pytest

from sipbridge.simulator.calls.dial_string import DialStringError, expand, read_dial_string

E = "sofia/providers/sip:x@127.0.0.1"

VARIABLES = {"hostname": "vm", "sip_req_user": "bob"}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("a,b", "a,b"),
        (r"a\,b", r"a\,b"),
        (r"a\|b", "a|b"),
        ("a'b", "a'b"),
        ("a'b'c", "abc"),
        ("'a|b'", "a|b"),
        (r"a\'b", "ab"),
        (r"a\\b", r"a\b"),
        (r"a\\\\b", r"a\b"),
        (r"a\\'b'", "ab"),
        ("a b ", "a b"),
        (" a", "a"),
        ("a{b}c", "a{b}c"),
        ("a$b", "a$b"),
        (r"a\$b", r"a\$b"),
        ("a=b=c", "a=b=c"),
        ("[x]", "[x]"),
        ("<x>", "<x>"),
        ('"q" <sip:a@b>', '"q" <sip:a@b>'),
        ("a^^b", "a^^b"),
        (r"a\sb", "a b"),
        (r"a\"b", 'a"b'),
        (r"a\tb'c", "a\tb'c"),
        (r"é\'ü", "éü"),
    ],
)
def test_a_value_between_bars(value: str, read: str) -> None:
    text = "{^^|sip_h_X-T=" + value + "|sip_h_X-U=end}" + E
    expansion = expand(text, VARIABLES.get)
    dial_string = read_dial_string(expansion.text)
    assert dial_string.variables == {"sip_h_X-T": read, "sip_h_X-U": "end"}
    assert [endpoint.text for endpoint in dial_string.endpoints] == [E]
    assert expansion.injections == ()


def test_an_empty_value_is_no_variable() -> None:
    assert read_dial_string("{a='',b=,c=end}" + E).variables == {"c": "end"}


@pytest.mark.parametrize(
    ("value", "expanded", "injections"),
    [
        ("a${hostname}b", "avmb", ("hostname",)),
        ("a$${hostname}b", "avmb", ("hostname",)),
        ("x${sip_req_user}y", "xboby", ("sip_req_user",)),
        ("${system(id)}", "<API Execute Permission Denied>", ("system(id)",)),
        ("${uuid_kill x}", "<API Execute Permission Denied>", ("uuid_kill x",)),
        ("${${x}}", "", ("x", "")),
        ("${hostname:0:1}", "v", ("hostname:0:1",)),
        ("${hostname:-1}", "m", ("hostname:-1",)),
        (r"\${hostname}", "${hostname}", ()),
        (r"\\${hostname}", r"\vm", ("hostname",)),
        (r"$\{hostname}", r"$\{hostname}", ()),
        ("no variable", "no variable", ()),
    ],
)
def test_expansion(value: str, expanded: str, injections: tuple[str, ...]) -> None:
    expansion = expand(value, VARIABLES.get)
    assert (expansion.text, expansion.injections) == (expanded, injections)


@pytest.mark.parametrize(
    ("text", "variables", "endpoints"),
    [
        (r"{a=1\,2,b=end}" + E, {"a": "1,2", "b": "end"}, [E]),
        ("{a='1,2',b=end}" + E, {"a": "1,2", "b": "end"}, [E]),
        ("{a=1}{b=end}" + E, {"a": "1", "b": "end"}, [E]),
        ("<a=9>{b=end}" + E, {"a": "9", "b": "end"}, [E]),
        ("{^^;a=1;b=2,3}" + E, {"a": "1", "b": "2,3"}, [E]),
        ("{a= 1 ,b=end}" + E, {"a": "1", "b": "end"}, [E]),
        # Everything below is what a value that leaks would look like.
        ("{a=1} {b=end}" + E, {"a": "1"}, ["{b=end}" + E]),
        ("{^^|a=x}y|b=end}" + E, {"a": "x"}, ["y", "b=end}" + E]),
        (E + "," + E, {}, [E, E]),
        (E + "|" + E, {}, [E, E]),
        (E + ":_:" + E, {}, [E, E]),
    ],
)
def test_structure(text: str, variables: dict[str, str], endpoints: list[str]) -> None:
    dial_string = read_dial_string(text)
    assert dial_string.variables == variables
    assert [endpoint.text for endpoint in dial_string.endpoints] == endpoints


@pytest.mark.parametrize("text", ["[a=5,b=end]" + E, "[^^:a=5:b=end]" + E])
def test_variables_of_one_endpoint(text: str) -> None:
    (endpoint,) = read_dial_string(text).endpoints
    assert (endpoint.text, endpoint.variables) == (E, {"a": "5", "b": "end"})


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{a=1" + E, "ORIGINATOR_CANCEL"),
        ("{^^|a=x:_:y|b=end}" + E, "DESTINATION_OUT_OF_ORDER"),
        ("", "ORIGINATOR_CANCEL"),
    ],
)
def test_unreadable(text: str, cause: str) -> None:
    with pytest.raises(DialStringError) as error:
        read_dial_string(text)
    assert error.value.cause == cause
