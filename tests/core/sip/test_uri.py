"""SIP URIs and name-addrs: the examples of RFC 3261, its grammar, and what a hostile header can hold."""

from __future__ import annotations

import contextlib
import itertools
import urllib.parse

import pytest
import sipmessage
from core_examples import host_names, sip_uris
from hypothesis import example, given
from hypothesis import strategies as st

from sipbridge.core.errors import UriError
from sipbridge.core.sip.uri import (
    NameAddr,
    SipUri,
    escape_user,
    normalize_escapes,
    parse_header_address,
    parse_name_addr,
    parse_sip_uri,
    quote_display_name,
)

# RFC 3261 §19.1.4: "The URIs within each of the following sets are equivalent".
EQUIVALENT = {
    "escapes and case": ["sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"],
    "a parameter in one only (1)": ["sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"],
    "a parameter in one only (2)": ["sip:carol@chicago.com", "sip:carol@chicago.com;security=on"],
    "different parameters": ["sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"],
    "order of parameters": [
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ],
    "order of headers": [
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ],
    # Not in its list, but in its rules.
    "case of the scheme": ["SIP:alice@atlanta.com", "sip:alice@atlanta.com"],
    "case of an escape": ["sip:a%3bb@atlanta.com", "sip:a%3Bb@atlanta.com"],
    "case of a header name": ["sip:alice@atlanta.com?Subject=x", "sip:alice@atlanta.com?subject=x"],
    "escapes in a parameter": ["sip:alice@atlanta.com;x=%61", "sip:alice@atlanta.com;X=A"],
    # Against its rules, because FreeSWITCH does not tell them apart.
    "what a user part may hold as it is": ["sip:%2B33%3bx@atlanta.com", "sip:+33;x@atlanta.com"],
}
# "The URIs within each of the following sets are not equivalent".
DIFFERENT = {
    "case of the user": ["SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"],
    "default port": ["sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"],
    "port and transport": ["sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"],
    "a header in one only": ["sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"],
    "address of a host": ["sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"],
    "not transitive": ["sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"],
    # Not in its list, but in its rules.
    "sip and sips": ["sip:alice@atlanta.com", "sips:alice@atlanta.com"],
    "user in one only": ["sip:atlanta.com", "sip:alice@atlanta.com"],
    "password in one only": ["sip:alice@atlanta.com", "sip:alice:secret@atlanta.com"],
    "empty password": ["sip:alice@atlanta.com", "sip:alice:@atlanta.com"],
    "case of the password": ["sip:alice:SECRET@atlanta.com", "sip:alice:secret@atlanta.com"],
    "user parameter in one only": ["sip:+33@atlanta.com", "sip:+33@atlanta.com;user=phone"],
    "ttl in one only": ["sip:alice@atlanta.com", "sip:alice@atlanta.com;ttl=1"],
    "method in one only": ["sip:alice@atlanta.com", "sip:alice@atlanta.com;method=INVITE"],
    "maddr in one only": ["sip:alice@atlanta.com", "sip:alice@atlanta.com;maddr=192.0.2.1"],
    "a separator and its escape": ["sip:a:b@atlanta.com", "sip:a%3Ab@atlanta.com"],
    "different transports": ["sip:a@atlanta.com;transport=tcp", "sip:a@atlanta.com;transport=udp"],
}


@pytest.mark.parametrize("texts", EQUIVALENT.values(), ids=EQUIVALENT)
def test_uris_are_equivalent_in_both_directions(texts: list[str]) -> None:
    for one, other in itertools.permutations(map(parse_sip_uri, texts)):
        assert one.equivalent(other)
        assert one.lookup_key == other.lookup_key


@pytest.mark.parametrize("texts", DIFFERENT.values(), ids=DIFFERENT)
def test_uris_are_different_in_both_directions(texts: list[str]) -> None:
    for one, other in itertools.permutations(map(parse_sip_uri, texts)):
        assert not one.equivalent(other)


def test_a_transport_in_one_only_is_ignored() -> None:
    """RFC 3261 §19.1.4 says both: its rule for other parameters ignores it, its example does not. The rule wins here.

    Registered clients put the transport they use into From and To; the account is the same whatever they use.
    """
    assert parse_sip_uri("sip:bob@biloxi.com").equivalent(parse_sip_uri("sip:bob@biloxi.com;transport=udp"))


@given(sip_uris())
def test_a_uri_is_equivalent_to_itself_in_every_spelling(uri: SipUri) -> None:
    spelled = uri._replace(
        userinfo="".join(f"%{ord(c):02x}" if c in "abcXYZ019" and "%" not in uri.userinfo else c for c in uri.userinfo),
        hostport=uri.hostport.swapcase(),
        parameters="".join(";" + p for p in reversed(uri.parameters.split(";")[1:])).swapcase(),
    )
    assert parse_sip_uri(spelled.text).equivalent(uri)
    assert spelled.lookup_key == uri.lookup_key


@given(sip_uris(), sip_uris())
def test_equivalent_uris_have_one_lookup_key_and_equivalence_has_no_direction(one: SipUri, other: SipUri) -> None:
    assert one.equivalent(other) == other.equivalent(one)
    if one.equivalent(other):
        assert one.lookup_key == other.lookup_key


@given(sip_uris())
def test_what_the_grammar_allows_is_parsed_into_its_parts_and_back(uri: SipUri) -> None:
    assert parse_sip_uri(uri.text) == uri
    assert str(uri) == uri.text


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("sip:alice@example.org", "alice", "example.org", None),
        ("sip:alice:pw@example.org:5070", "alice", "example.org", 5070),
        ("sip:example.org", "", "example.org", None),
        ("sip:alice@[2001:db8::1]", "alice", "[2001:db8::1]", None),
        ("sip:alice@[2001:db8::1]:5070", "alice", "[2001:db8::1]", 5070),
        ("sip:a;b?c=d@example.org", "a;b?c=d", "example.org", None),
        ("sip:alice%40home@example.org", "alice%40home", "example.org", None),
    ],
)
def test_parts(text: str, user: str, host: str, port: int | None) -> None:
    uri = parse_sip_uri(text)
    assert (uri.user, uri.host, uri.port) == (user, host, port)


def test_parameters_are_found_without_case() -> None:
    uri = parse_sip_uri("sip:example.org;Transport=TLS;lr")
    assert (uri.parameter("transport"), uri.parameter("lr"), uri.parameter("user")) == ("tls", "", None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice@example.org",
        "tel:+33612345678",
        "http://example.org",
        "sip:",
        "sip:@example.org",
        "sip::pw@example.org",
        "sip:alice@",
        "sip:alice@@example.org",
        "sip:alice@example.org:",
        "sip:alice@example.org:port",
        "sip:alice@example.org;",
        "sip:alice@example.org;=x",
        "sip:alice@example.org;x=",
        "sip:alice@example.org?subject",
        "sip:alice@-example.org",
        "sip:alice@example.org-",
        "sip:al%ice@example.org",
        "sip:al%4@example.org",
        "sip:alicé@example.org",
        "sip:alice@exämple.org",
        "sip:alice@[::1",
        " sip:alice@example.org",
        "sip:alice@example.org\n",
        "<sip:alice@example.org>",
    ],
)
def test_what_is_no_uri_is_refused_and_shown(text: str) -> None:
    with pytest.raises(UriError) as caught:
        parse_sip_uri(text)
    assert caught.value.text == text
    assert repr(text) in str(caught.value)


@given(sip_uris(), st.integers(min_value=0), st.sampled_from('"<>{}|\\^`# \t\r\n\0\x7fé\u2028\ud800'))
def test_no_character_outside_the_grammar_gets_through(uri: SipUri, position: int, character: str) -> None:
    position %= len(uri.text) + 1
    with pytest.raises(UriError):
        parse_sip_uri(uri.text[:position] + character + uri.text[position:])


# sipmessage knows no URI headers, no host names with an underscore and no empty passwords; it decodes what it parses.
@given(
    sip_uris(
        hostports=host_names | st.builds("{}:{}".format, host_names, st.integers(0, 65535)), headers=st.just("")
    ).filter(lambda uri: not uri.userinfo.endswith(":"))
)
def test_an_independent_parser_finds_the_same_parts(uri: SipUri) -> None:
    theirs = sipmessage.URI.parse(uri.text)
    user, _, password = uri.userinfo.partition(":")
    assert (theirs.scheme, theirs.host, theirs.port) == (uri.scheme, uri.host, uri.port)
    assert (theirs.user or "", theirs.password or "") == (urllib.parse.unquote(user), urllib.parse.unquote(password))
    parameters = (parameter.partition("=") for parameter in uri.parameters.split(";")[1:])
    assert dict(theirs.parameters) == {
        urllib.parse.unquote(name): urllib.parse.unquote(value) if equals else None
        for name, equals, value in parameters
    }


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])).map(str.strip),
    sip_uris(hostports=host_names, headers=st.just("")).filter(lambda uri: uri.userinfo and ":" not in uri.userinfo),
)
def test_an_independent_parser_reads_the_name_addr_that_is_written(name: str, uri: SipUri) -> None:
    # It unquotes with two replacements in a row, which goes wrong where a backslash stands before a quote.
    name = name.replace("\\", "")
    theirs = sipmessage.Address.parse(f"{quote_display_name(name)} <{uri.text}>;tag=1")
    assert " ".join(theirs.name.split()) == " ".join(name.split())
    assert theirs.uri == sipmessage.URI.parse(uri.text)


@pytest.mark.parametrize(
    ("text", "display_name", "uri"),
    [
        ("<sip:alice@example.org>", "", "sip:alice@example.org"),
        ("<sip:alice@example.org>;tag=88;x", "", "sip:alice@example.org"),
        ("sip:alice@example.org", "", "sip:alice@example.org"),
        ("sip:alice@example.org;tag=88", "", "sip:alice@example.org"),
        ('sip:alice@example.org;tag=88;x="<sip:eve@example.org>"', "", "sip:alice@example.org"),
        ("Alice <sip:alice@example.org>", "Alice", "sip:alice@example.org"),
        ("Alice of  Wonderland<sip:alice@example.org>", "Alice of  Wonderland", "sip:alice@example.org"),
        ('"Alice" <sip:alice@example.org>;tag=88', "Alice", "sip:alice@example.org"),
        ('"A; <sip:eve@example.org>" <sip:alice@example.org>', "A; <sip:eve@example.org>", "sip:alice@example.org"),
        (r'"Zoé \"Z\" \\ Ö" <sip:zoe@example.org>', r'Zoé "Z" \ Ö', "sip:zoe@example.org"),
        ('"" <sip:alice@example.org>', "", "sip:alice@example.org"),
        ('" " <sip:alice@example.org>', "", "sip:alice@example.org"),
        ('"a\r\n b\x00\x7f\x85\u2028c" <sip:alice@example.org>', "a  b c", "sip:alice@example.org"),
        ('"a\\\nb" <sip:alice@example.org>', "a b", "sip:alice@example.org"),
        ("\udcff <sip:alice@example.org>", "\udcff", "sip:alice@example.org"),
        ("<sip:alice@example.org;user=phone>;user=x", "", "sip:alice@example.org;user=phone"),
        ('<sip:alice@example.org>;x="<sip:eve@example.org>"', "", "sip:alice@example.org"),
        ("  < sip:alice@example.org >\r\n ;tag=1", "", "sip:alice@example.org"),
        ("<SIPS:Alice@Example.org>", "", "sips:Alice@Example.org"),
    ],
)
def test_header_addresses(text: str, display_name: str, uri: str) -> None:
    assert parse_header_address(text) == NameAddr(parse_sip_uri(uri), display_name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "Alice",
        "<>",
        "<tel:+33612345678>",
        "tel:+33612345678",
        '"Alice" sip:alice@example.org',
        '"Alice <sip:alice@example.org>',
        '"Alice\\" <sip:alice@example.org>',
        'Al"ice" <sip:alice@example.org>',
        "<sip:alice@example.org",
        "<sip:alice@example.org> <sip:eve@example.org>",
        "<sip:alice@example.org>, <sip:eve@example.org>",
        "<<sip:alice@example.org>>",
        "<sip:alice@exam\r\nple.org>",
    ],
)
def test_what_is_no_header_address_is_refused(text: str) -> None:
    with pytest.raises(UriError):
        parse_header_address(text)


def test_a_bare_uri_keeps_its_parameters_in_a_template_and_loses_them_in_a_header() -> None:
    text = "sip:alice@example.org;user=phone"
    assert parse_name_addr(text).uri.parameters == ";user=phone"
    assert parse_header_address(text).uri.parameters == ""


@pytest.mark.parametrize(
    ("text", "name", "uri"),
    [
        (r'"An\"n" sip:ann@h', 'An"n', "sip:ann@h"),
        (r'"a\\b" sip:ann@h', r"a\b", "sip:ann@h"),
        ('"a <b>" sip:ann@h', "a <b>", "sip:ann@h"),
        ('"a <b>" <sip:ann@h>', "a <b>", "sip:ann@h"),
        ('"Joe" sip:joe@h;user=phone', "Joe", "sip:joe@h;user=phone"),
        ("Joe Doe sip:joe@h;user=phone", "Joe Doe", "sip:joe@h;user=phone"),
        ('"Joe"sips:joe@h', "Joe", "sips:joe@h"),
        ("Joe Doe<sip:joe@h>", "Joe Doe", "sip:joe@h"),
        ('"" sip:joe@h', "", "sip:joe@h"),
        ('"  "\tsip:joe@h ', "", "sip:joe@h"),
        (" sip:joe@h", "", "sip:joe@h"),
        ("Taxi: sip:joe@h", "Taxi:", "sip:joe@h"),
    ],
)
def test_name_before_a_bare_uri(text: str, name: str, uri: str) -> None:
    assert parse_name_addr(text) == NameAddr(parse_sip_uri(uri), name)


@pytest.mark.parametrize(
    "text",
    [
        'sip:"An n"@h',
        "sip:An n@h",
        '"An" tel:+33',
        "An ann@h",
        'a "b" sip:ann@h',
        '"a" b sip:ann@h',
        '"An sip:ann@h',
        "",
    ],
)
def test_what_is_before_a_bare_uri_and_no_name(text: str) -> None:
    with pytest.raises(UriError):
        parse_name_addr(text)


@given(st.text(), sip_uris())
@example("", parse_sip_uri("sip:;@192.0.2.4;lr"))
def test_a_name_addr_is_written_so_that_it_reads_the_same(name: str, uri: SipUri) -> None:
    address = parse_name_addr(f"{quote_display_name(name)} <{uri.text}>")
    assert address.uri == uri
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in address.display_name)
    assert parse_name_addr(str(address)) == address
    assert parse_header_address(f"{quote_display_name(name)} <{uri.text}>;tag=1") == address


@given(st.text(st.sampled_from('"\\<>;:@?=&%41 \t\r\nsip.é{}$')))
def test_any_text_is_an_address_without_line_ends_or_an_error(text: str) -> None:
    for parse in (parse_header_address, parse_name_addr):
        try:
            address = parse(text)
        except UriError:
            continue
        assert not set("\r\n") & set(str(address))
        assert not set('\r\n<>"{}\\ ') & set(address.uri.text)


LONG = 100_000
HOSTILE = {
    "spaces, then no URI": " " * LONG + "><",
    "spaces inside the name": "a" + " " * LONG + '"<',
    "spaces after the URI": "<sip:a@b>" + " " * LONG + "x",
    "spaces inside the brackets": "<" + " " * LONG + "sip:a@b" + " " * LONG + "x>",
    "name without a URI": "a " * LONG + "<",
    "quotes": '"' * LONG + "<",
    "backslashes": '"' + "\\" * LONG + "<",
    "quoted without an end": '"' + "a\\b" * LONG + "<",
    "open brackets": "<" * LONG,
    "user without a host": "sip:" + "a" * LONG + "@",
    "escapes without a host": "sip:" + "%41" * LONG + "@",
    "password without a host": "sip:a:" + "b=" * LONG + "@",
    "many at signs": "sip:" + "a@" * LONG,
    "many colons": "sip:" + "a:" * LONG,
    "host that ends in hyphens": "sip:a@b" + "-" * LONG,
    "host of dots and hyphens": "sip:" + "a.-" * LONG + "!",
    "colons in an address": "sip:[" + ":" * LONG,
    "parameters": "sip:a@b" + ";a=b" * LONG + "<",
    "parameters without a name": "sip:a@b" + ";" * LONG,
    "headers": "sip:a@b?" + "a=b&" * LONG,
    "questions": "sip:" + "?" * LONG,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("form", ["{}", "<{}>", '"n" <{}'], ids=["bare", "in brackets", "after a name"])
def test_no_header_takes_more_than_linear_time(text: str, form: str) -> None:
    """Anything worse than linear would run for hours on these."""
    for parse in (parse_sip_uri, parse_name_addr):
        with pytest.raises(UriError):
            parse(form.format(text))
    # What follows the first ";" belongs to the header: it drops some of these.
    with contextlib.suppress(UriError):
        assert parse_header_address(form.format(text)) == NameAddr(parse_sip_uri("sip:a@b"))


@pytest.mark.timeout(20)
def test_long_addresses_are_compared_in_linear_time() -> None:
    uri = parse_sip_uri("sip:" + "%41" * LONG + "@b" + ";p=%41" * LONG + "?" + "&".join(["h=%41"] * LONG))
    assert uri.equivalent(uri._replace(userinfo="A" * LONG))


@pytest.mark.parametrize(
    ("decoded", "escaped"),
    [
        ("alice", "alice"),
        ("+33612345678", "+33612345678"),
        ("alice@home", "alice%40home"),
        ("a:b", "a%3Ab"),
        ("ev\r\nil", "ev%0D%0Ail"),
        ("50%", "50%25"),
        ("zoé", "zo%C3%A9"),
        ("\udcff", "%FF"),
        ("${system(id)}", "$%7Bsystem(id)%7D"),
        ("-_.!~*'()&=+$,;?/", "-_.!~*'()&=+$,;?/"),
        ("", ""),
    ],
)
def test_escape_user(decoded: str, escaped: str) -> None:
    assert escape_user(decoded) == escaped


@given(st.binary(min_size=1))
def test_any_user_that_came_decoded_makes_a_uri_and_survives(user: bytes) -> None:
    escaped = escape_user(user.decode("utf-8", "surrogateescape"))
    assert parse_sip_uri(f"sip:{escaped}@example.org").user == escaped
    assert urllib.parse.unquote_to_bytes(escaped) == user


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("%61lice", "alice"),
        ("%2D%2d%5f%2E%21%7e%2A%27%28%29", "--_.!~*'()"),
        ("a%3bb%2f", "a%3Bb%2F"),
        ("%2561", "%2561"),
        ("%ff%00", "%FF%00"),
    ],
)
def test_escapes_of_what_need_not_be_escaped_are_resolved_once(text: str, normalized: str) -> None:
    assert normalize_escapes(text) == normalized


@given(sip_uris())
def test_normalizing_twice_is_normalizing_once(uri: SipUri) -> None:
    once = normalize_escapes(uri.text)
    assert normalize_escapes(once) == once
