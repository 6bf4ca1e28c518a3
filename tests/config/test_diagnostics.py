"""The message and position for every possible error in a providers file."""

from __future__ import annotations

from dataclasses import replace

import pytest
from config_examples import GOOD, SECRETS, edited, without_marks

from sipbridge.config.load import parse_providers
from sipbridge.core.providers.edge import Edge, EdgeReason
from sipbridge.core.sip.uri import parse_sip_uri

OR_EDGE = ", or enable [edge] in the settings"
HASH = (
    'FreeSWITCH cannot authenticate with a digest hash: put the password in "secret" and set "secretType": "clrtxt"'
    f"{OR_EDGE}"
)
ONLY_DTLS_HAS_AVPF = (
    f"FreeSWITCH offers AVPF only together with DTLS-SRTP: leave enableAvpf out or set it to false{OR_EDGE}"
)
TRUSTS_SDES_ANSWERS = (
    "SDES straight to the provider: one answer with a malformed key ends a FreeSWITCH older than 1.11.2, and all its "
    "calls. Whether yours is older, `sipbridge doctor` tells; the edge checks the answers of accounts that go through "
    'it: accounts = "all" in [edge] of the settings'
)
EDGE = Edge(parse_sip_uri("sip:127.0.0.1:5090"))


def said_about(text: str, edge: Edge | None = None) -> list[str]:
    return [str(diagnostic) for diagnostic in parse_providers(text, "p.json", edge=edge).diagnostics]


# Each edit spoils the good file; ▲ stands before what each message is to point at, in the order of the file.
CASES: dict[str, tuple[tuple[str, str], list[str]]] = {
    # What the schema says
    "missing field": (
        ('"outgoingInvite": { "to": "{incoming.requestUri}", ', '"outgoingInvite": ▲{ '),
        ['error: missing: "to"'],
    ),
    "several missing fields": (
        ('{ "strategy": "FindInPool", "by": "alias", "source": "{to}" }', '▲{ "strategy": "FindInPool" }'),
        ['error: missing: "by" and "source"'],
    ),
    "unknown field": (
        ('"maxCallsPerLine": 20', '"maxCallsPerLine": 20, ▲"registerThrottlingRateMs": 5'),
        ['error: unknown field "registerThrottlingRateMs": did you mean "registrationThrottlingRateMs"?'],
    ),
    "unknown field, wrong case": (
        ('"secret": "Mellon1"', '"secret": "Mellon1", ▲"userId": "x"'),
        ['error: unknown field "userId": did you mean "userid"?'],
    ),
    "unknown field that resembles none": (
        ('"strategy": "Always"', '"strategy": "Always", ▲"priority": 1'),
        ['error: unknown field "priority": known are "strategy" and "side"'],
    ),
    "field of the other strategy": (
        ('"strategy": "Random"', '"strategy": "Random", ▲"by": "uri"'),
        ['error: unknown field "by": known is "strategy"'],
    ),
    "unknown strategy": (
        ('"strategy": "FindInPool"', '"strategy": ▲"FindInPol"'),
        ['error: "strategy" must be "Random" or "FindInPool", not "FindInPol": did you mean "FindInPool"?'],
    ),
    "strategy that leaves the rest unread": (
        ('"strategy": "MatchRegex", "pattern": "sip:\\\\+33.*"', '"strategy": ▲"Matches", "pattern": []'),
        ['error: "strategy" must be "MatchRegex" or "Always", not "Matches"'],
    ),
    "pattern that takes for ever": (
        ('"pattern": "sip:\\\\+33.*"', '"pattern": ▲"sip:(?!\\\\+33)(a+)+"'),
        [
            "warning: a caller can block the bridge with a number that takes this pattern minutes to reject: write "
            "it without look-ahead, look-behind and back-references"
        ],
    ),
    "strategy of the other field": (
        ('"strategy": "Always"', '"strategy": ▲"Random"'),
        ['error: "strategy" must be "MatchRegex" or "Always", not "Random"'],
    ),
    "number in quotation marks": (
        ('"maxCallsPerLine": 20', '"maxCallsPerLine": ▲"20"'),
        ['error: "maxCallsPerLine" must be a whole number, not a string: leave the quotation marks out'],
    ),
    "text without quotation marks": (
        ('"name": "people"', '"name": ▲5'),
        ['error: "name" must be a string, not a number: put it in quotation marks'],
    ),
    "fraction": (
        ('"maxCallsPerLine": 20', '"maxCallsPerLine": ▲2.5'),
        ['error: "maxCallsPerLine" must be a whole number, not a fraction'],
    ),
    "negative": (
        ('"maxCallsPerLine": 20', '"maxCallsPerLine": ▲-1'),
        ['error: "maxCallsPerLine" must be 0 or more, not -1'],
    ),
    "null": (
        ('"registrationRequired": true', '"registrationRequired": ▲null'),
        ['error: "registrationRequired" must be true or false, not null'],
    ),
    "text instead of an object": (
        ('{ "strategy": "Always" }', '▲"Always"'),
        ['error: "triggerCondition" must be an object {...}, not a string'],
    ),
    "account that is no object": (
        ('{ "uri": "sip:line2@example.org", "secretType": "clrtxt", "secret": "Mellon2" }', '▲"sip:line2@example.org"'),
        ['skipped: item 2 of "loader" must be an object {...}, not a string'],
    ),
    "later schema": (
        ('"schemaVersion": 2', '"schemaVersion": ▲3'),
        ['error: "schemaVersion" must be the number 2'],
    ),
    "unknown database": (
        ('"dbBackend": "mysql"', '"dbBackend": ▲"mysqll"'),
        ['error: unknown database "mysqll": did you mean "mysql"?'],
    ),
    "database whose driver is missing": (
        ('"dbBackend": "mysql"', '"dbBackend": ▲"oracle"'),
        ["error: the driver of \"oracle\" is not installed: No module named 'oracledb'"],
    ),
    "update query without identifier": (
        ('"SELECT * FROM users WHERE id = :identifier"', '▲"SELECT * FROM users WHERE id = :identifiers"'),
        ['error: "updateQuery" must use ":identifier", which stands for the account to update'],
    ),
    "empty connection": (
        ("\"db=users password='Mellon3'\"", '▲""'),
        ['error: "connection" must not be empty'],
    ),
    "connection without an equals sign": (
        ("\"db=users password='Mellon3'\"", "\"db=users password='Mellon3' ▲host\""),
        ["error: expected keyword=value here; put a value that contains a space in single quotes"],
    ),
    "quotation mark in a connection that is not closed": (
        ("\"db=users password='Mellon3'\"", '"db=\\u0075sers password=▲\'Mellon3"'),
        ["error: this quotation mark is not closed"],
    ),
    "secret that is a number": (
        ('"secret": "Mellon1"', '"secret": ▲271828'),
        ['skipped: "secret" must be a string, not a number: put it in quotation marks'],
    ),
    # Names
    "unused pool": (
        (
            '"accountPools": {',
            '"accountPools": { ▲"old": { "outboundProxy": "sip:x", "registrationRequired": false, '
            '"maxCallsPerLine": 1, "loader": [] },',
        ),
        ['warning: no provider uses the account pool "old"'],
    ),
    "two providers of one name": (
        ('"name": "people"', '"name": ▲"numbers"'),
        ['warning: another provider already has the name "numbers", on line 5'],
    ),
    "duplicate key": (
        ('"schemaVersion": 2', '"schemaVersion": 2, ▲"schemaVersion": 2'),
        ['error: "schemaVersion" is already set on line 2: keep one of the two'],
    ),
    # Patterns
    "pattern that begins with +": (
        (r'"sip:\\+33.*"', '"▲+33.*"'),
        [
            'error: "pattern" is not a valid regular expression: nothing to repeat before "+"; a Request-URI begins '
            r'with "sip:", as in sip:\+33.*, which JSON writes as "sip:\\+33.*"'
        ],
    ),
    "pattern that repeats a repetition": (
        (r'"sip:\\+33.*"', r'"sip:\\+33*▲*"'),
        [
            r'error: "pattern" is not a valid regular expression: nothing to repeat before "*"; write the literal '
            r"character as \\* in JSON"
        ],
    ),
    "pattern with an open parenthesis": (
        (r'"sip:\\+33.*"', r'"sip:\\+▲(33.*"'),
        [
            r'error: "pattern" is not a valid regular expression: "(" without ")"; write a literal '
            r"parenthesis as \\( in JSON"
        ],
    ),
    "pattern with a closing parenthesis": (
        (r'"sip:\\+33.*"', r'"sip:\\+33▲).*"'),
        [
            r'error: "pattern" is not a valid regular expression: ")" without "("; write a literal '
            r"parenthesis as \\) in JSON"
        ],
    ),
    "pattern with an open bracket": (
        (r'"sip:\\+33.*"', r'"sip:▲[+33.*"'),
        ['error: "pattern" is not a valid regular expression: "[" without "]"'],
    ),
    "pattern with a collating element": (
        (r'"sip:\\+33.*"', r'"sip:[▲[.a.]].*"'),
        [
            'error: "pattern" is not a valid regular expression: collating element "[." is not '
            "supported: list the characters"
        ],
    ),
    "pattern with another fault": (
        (r'"sip:\\+33.*"', '▲"sip:[z-a]"'),
        [
            'error: "pattern" is not a valid regular expression: range values reversed, start char code is greater '
            "than end char code"
        ],
    ),
    "pattern that no Request-URI matches": (
        (r'"sip:\\+33.*"', r'▲"\\+33.*"'),
        [
            'warning: this pattern matches no call: a Request-URI begins with "sip:", '
            r'as in sip:\+33.*, which JSON writes as "sip:\\+33.*"'
        ],
    ),
    "pattern of another scheme": (
        (r'"sip:\\+33.*"', '▲"tel:.*"'),
        ['warning: this pattern matches no call: a Request-URI begins with "sip:"'],
    ),
    "source of a pattern that is not the Request-URI": (
        ('"source": "{requestUri}"', '"source": ▲"{to}"'),
        ['warning: ignored: a pattern is always matched against the Request-URI; write "{requestUri}"'],
    ),
    # Templates
    "unknown variable": (
        ('"{incoming.to}"', '"sip:{▲incoming.to.usr}@x.example"'),
        ["error: unknown variable {incoming.to.usr} in outgoingInvite: did you mean {incoming.to.user}?"],
    ),
    "variable after escapes and letters of several bytes": (
        ('"{incoming.to}"', r'"\"\u00e9é😀\ud83d\ude00\\\" <{▲incomin.to}>"'),
        ["error: unknown variable {incomin.to} in outgoingInvite: did you mean {incoming.to}?"],
    ),
    "open brace": (
        ('"{incoming.to}"', '"sip:▲{incoming.to.user@x.example"'),
        ['error: "{" without "}": write variables as {name}'],
    ),
    "closing brace": (
        ('"sip:{account.uri.user}@example.org"', '"sip:account.uri.user▲}@example.org"'),
        ['error: "}" without "{": write variables as {name}'],
    ),
    "variable that resembles none": (
        ('"{to}"', '"{▲callId}"'),
        [
            "error: unknown variable {callId} in accountToUse.source: known are {to}, {from}, {requestUri}, "
            "{requestAddress}, {incoming.to}, {incoming.from}, {incoming.requestUri}, {incoming.requestAddress}"
        ],
    ),
    "source without a variable": (
        ('"{to}"', '▲"from"'),
        ['warning: the same for every call: write a part of the call in braces, as in "{from}"'],
    ),
    "key that is no field": (
        ('"by": "alias"', '"by": ▲"user"'),
        ['error: "by" must be "uri", "alias" or a template over the account, such as "{alias.user}"'],
    ),
    "template that comes to no URI": (
        ('"{incoming.to}"', '▲"{incoming.to.user}@{account.uri.hostport}"'),
        [
            'warning: results in "callee@c.example", which is not a SIP URI, because it does not begin with "sip:": '
            "every call will be declined"
        ],
    ),
    "template that quotes a display name again": (
        ('"{incoming.to}"', '▲"\\"{incoming.to.displayName}\\" <{incoming.to}>"'),
        [
            'warning: results in """Callee"" <sip:callee@a.example>", which is not a SIP URI: '
            "every call with a display name will be declined"
        ],
    ),
    # URIs
    "bare host": (
        ('"sip:proxy.example.org"', '"proxy.example.org:5070"'),
        [],
    ),
    "half of the angle brackets": (
        ('"sip:proxy.example.org"', '▲"<sip:proxy.example.org"'),
        [
            'error: "outboundProxy" is not a SIP URI: "<" and ">" belong together, as in '
            "<sip:proxy.example.org;transport=tcp>"
        ],
    ),
    "another scheme": (
        ('"sip:line2@example.org"', '▲"tel:+33612345678"'),
        ['skipped: "uri" is not a SIP URI: it must begin with "sip:", not with "tel:"'],
    ),
    "space in a URI": (
        ('"sip:line2@example.org"', '▲"sip:line 2@example.org"'),
        ['skipped: "uri" is not a SIP URI: it must not contain spaces'],
    ),
    "empty URI": (
        ('"sip:line2@example.org"', '▲""'),
        ['skipped: "uri" is empty: write a SIP URI such as sip:user@example.org'],
    ),
    "empty proxy of a pool": (
        ('"sip:proxy.example.org"', '""'),
        [],
    ),
    "other fault in a URI": (
        ('"sip:line2@example.org"', '▲"sip:line2@exa_mple!.org"'),
        ['skipped: "uri" is not a SIP URI such as sip:user@example.org:5060;transport=tcp'],
    ),
    "bad URI of notifications": (
        ('"name": "people"', '"name": "people", "outgoingNotify": ▲{ "outboundProxy": ▲"x y" }'),
        [
            "warning: has no effect yet: message-waiting indications are not passed on",
            'error: "outboundProxy" is not a SIP URI: it must not contain spaces',
        ],
    ),
    # Accounts
    "same account twice": (
        ('"sip:line2@example.org"', '▲"sip:%6cine1@EXAMPLE.org;transport=tcp"'),
        ["skipped: sip:%6cine1@EXAMPLE.org;transport=tcp is already an account of this pool, on line 27"],
    ),
    "hash on an account that registers": (
        ('"secretType": "clrtxt", "secret": "Mellon2"', '"secretType": ▲"sha-256", "secret": "Mellon2"'),
        [f'skipped: "sha-256" cannot be used for an account that registers: {HASH}'],
    ),
    "no secretType on an account that registers": (
        ('"secretType": "clrtxt", "secret": "Mellon2"', '"secret": ▲"Mellon2"'),
        [f'skipped: a secret without "secretType" is read as "ha1", but {HASH}'],
    ),
    "secretType that is none": (
        ('"secretType": "clrtxt", "secret": "Mellon2"', '"secretType": ▲"clear", "secret": "Mellon2"'),
        ['skipped: "secretType" must be "ha1", "md5", "sha256", "sha-256" or "clrtxt"'],
    ),
    "no secret on an account that registers": (
        (
            '{ "uri": "sip:line2@example.org", "secretType": "clrtxt", "secret": "Mellon2" }',
            '▲{ "uri": "sip:line2@x.example" }',
        ),
        ["warning: no secret: registration works only if the registrar does not ask for one"],
    ),
    "colon in a secret": (
        ('"secret": "Mellon2"', '"secret": ▲"Mel:lon2"'),
        ["skipped: FreeSWITCH cannot authenticate with a colon in a password: it cuts the text there"],
    ),
    "colon in a userid": (
        ('"secret": "Mellon2"', '"secret": "Mellon2", "userid": ▲"a:b"'),
        ['skipped: FreeSWITCH cannot authenticate with a colon in "userid": it cuts the text there'],
    ),
    "control character in a secret": (
        ('"secret": "Mellon2"', '"secret": ▲"Mel\\u0000lon2"'),
        ["skipped: the secret contains a control character, which cannot be passed to FreeSWITCH"],
    ),
    "secret that is too long": (
        ('"secret": "Mellon2"', f'"secret": ▲"{"x" * 230}"'),
        ["skipped: FreeSWITCH cannot authenticate with more than 255 bytes of realm, name and password together"],
    ),
    "no user on an account that registers": (
        ('"sip:line2@example.org"', '▲"sip:example.org"'),
        ["skipped: an account that registers needs a user, as in sip:user@example.org"],
    ),
    "no calls": (
        ('"maxCallsPerLine": 20', '"maxCallsPerLine": ▲0'),
        ["warning: with 0, these accounts never carry a call"],
    ),
    # Media
    "SDES": (('"mediaEncryption": "none"', '"mediaEncryption": ▲"sdes"'), [f"warning: {TRUSTS_SDES_ANSWERS}"]),
    "AVPF with ZRTP": (
        ('"mediaEncryption": "none"', '"enableAvpf": true, "mediaEncryption": ▲"zrtp"'),
        [
            "error: with ZRTP, media passes unchanged between both sides, so AVPF cannot be added: leave enableAvpf"
            " out or set it to false"
        ],
    ),
    "AVPF without DTLS": (
        ('"mediaEncryption": "none"', '"enableAvpf": true, "mediaEncryption": ▲"sdes"'),
        [f"error: {ONLY_DTLS_HAS_AVPF}"],
    ),
    "DTLS without AVPF": (
        ('"mediaEncryption": "none"', '"enableAvpf": false, "mediaEncryption": ▲"dtls-srtp"'),
        [f"error: FreeSWITCH offers DTLS-SRTP only with AVPF: leave enableAvpf out or set it to true{OR_EDGE}"],
    ),
    "AVPF with the default encryption": (
        ('"mediaEncryption": "none"', '"enableAvpf": ▲true'),
        [f"error: {ONLY_DTLS_HAS_AVPF}"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_diagnostic(case: str) -> None:
    edit, expected = CASES[case]
    text, places = without_marks(edited(edit))
    assert said_about(text) == [f"p.json:{place}: {message}" for place, message in zip(places, expected, strict=True)]
    is_wrong = any(message.startswith("error") for message in expected)
    assert (parse_providers(text, "p.json").config is None) == is_wrong


@pytest.mark.parametrize("wrong", ['"accountPool": 5', '"outgoingNotify": {}'])
def test_no_pool_is_called_unused_while_the_pools_in_use_are_not_known(wrong: str) -> None:
    found = parse_providers(edited(('"accountPool": "people"', wrong)), "p.json").diagnostics
    assert [one for one in found if "unused" in one.message or "no provider" in one.message] == []
    assert [one.is_error for one in found if one.is_error] == [True]


def test_unknown_pool_and_the_unused_one_that_may_be_meant() -> None:
    text, places = without_marks(
        edited(('"accountPool": "lines"', '"accountPool": ▲"lnies"'), ('    "lines": {', '    ▲"lines": {'))
    )
    assert said_about(text) == [
        f'p.json:{places[0]}: error: unknown account pool "lnies": did you mean "lines"?',
        f'p.json:{places[1]}: warning: no provider uses the account pool "lines"',
    ]


def test_all_at_once_in_the_order_of_the_file() -> None:
    text, places = without_marks(
        edited(
            ('"name": "numbers"', '"name": ▲7, ▲"nmae": "numbers"'),
            (r'"sip:\\+33.*"', r'"▲*33.*"'),
            ('"{incoming.to}"', '"sip:{▲x}"'),
            ('"maxCallsPerLine": 20', '"maxCallsPerLine": ▲"20"'),
            ('"sip:line1@example.org"', '▲"line1"'),
            ('"secretType": "clrtxt", "secret": "Mellon2"', '"secretType": ▲"ha1", "secret": "Mellon2"'),
            ('"SELECT * FROM users WHERE id = :identifier"', '▲"SELECT * FROM users"'),
        )
    )
    result = parse_providers(text, "p.json")
    assert [f"{found.line}:{found.column}" for found in result.diagnostics] == places
    assert (len(result.errors), len(result.skipped)) == (len(places) - 2, 2)
    assert result.config is None


def test_key_that_no_account_has() -> None:
    by_alias = '{ "strategy": "FindInPool", "by": ▲"alias", "source": "{to}" }'
    text, places = without_marks(edited(('{ "strategy": "Random" }', by_alias)))
    assert said_about(text) == [f'p.json:{places[0]}: warning: never finds an account: no account of "lines" has this']
    assert said_about(text.replace('"secret": "Mellon2"', '"secret": "Mellon2", "alias": "sip:a@b"')) == []


@pytest.mark.parametrize("source", ["{from}", "{incoming.from}", "sip:{from.user}@example.org"])
def test_a_from_that_anybody_can_write(source: str) -> None:
    always = ('{ "strategy": "Always" }', '▲{ "strategy": "Always" }')
    text, places = without_marks(edited(always, ('"source": "{to}"', f'"source": "{source}"')))
    (told,) = said_about(text)
    assert told.startswith(f"p.json:{places[0]}: warning: this provider selects accounts by From alone")
    # No call of a stranger gets further with a pattern, and none uses an account with a proxy of its own.
    pattern = r'{ "strategy": "MatchRegex", "pattern": "sip:.*@a\\.b", "source": "{requestUri}" }'
    assert said_about(text.replace('{ "strategy": "Always" }', pattern)) == []
    assert said_about(text.replace('"to": "{incoming.to}"', '"to": "{incoming.to}", "outboundProxy": "sip:p"')) == []


def test_a_diagnostic_is_one_line_whatever_the_file_holds() -> None:
    text, places = without_marks(
        edited(('"strategy": "Always"', r'"strategy": "Always", ▲"a\n\u001b[2J\u2028\u009b": 1'))
    )
    assert said_about(text) == [
        rf'p.json:{places[0]}: error: unknown field "a\n\u001b[2J\u2028\u009b": known are "strategy" and "side"'
    ]


def test_many_names_are_not_all_listed() -> None:
    pools = ", ".join(f'"{n:04}": {{}}' for n in range(1000))
    text = edited(
        ('"accountPools": {', f'"accountPools": {{ {pools},'), ('"accountPool": "people"', '"accountPool": "?"')
    )
    (message,) = [found.message for found in parse_providers(text, "p.json").errors if "account pool" in found.message]
    assert message.endswith('"0010", "0011" and 990 more')


def test_hash_without_registration_is_one_warning_for_the_pool() -> None:
    text, places = without_marks(
        edited(
            ('"registrationRequired": true', '"registrationRequired": false'),
            ('"secretType": "clrtxt", "secret": "Mellon1"', '"secret": ▲"Mellon1"'),
            ('"secretType": "clrtxt", "secret": "Mellon2"', '"secretType": "sha256", "secret": "Mellon2"'),
        )
    )
    more = "(and 1 more account of the pool)"
    assert said_about(text) == [f"p.json:{places[0]}: warning: cannot be used when a call is challenged {more}: {HASH}"]


def test_sdes_through_the_edge_is_checked_there() -> None:
    everything = replace(EDGE, takes_all=EdgeReason.ALL)
    assert said_about(edited(('"mediaEncryption": "none"', '"mediaEncryption": "sdes"')), everything) == []
    past_it = edited(('"mediaEncryption": "none"', '"outboundProxy": "sip:p", "mediaEncryption": "sdes"'))
    assert TRUSTS_SDES_ANSWERS in "".join(said_about(past_it, everything))


MD5, SHA256 = "0123456789abcdefABCDEF0123456789", "0123456789abcdef" * 4

WITH_EDGE: dict[str, tuple[tuple[str, str], list[str]]] = {
    "HA1": (('"secretType": "clrtxt", "secret": "Mellon2"', f'"secretType": "ha1", "secret": "{MD5}"'), []),
    "MD5": (('"secretType": "clrtxt", "secret": "Mellon2"', f'"secretType": "md5", "secret": "{MD5}"'), []),
    "SHA-256": (('"secretType": "clrtxt", "secret": "Mellon2"', f'"secretType": "sha-256", "secret": "{SHA256}"'), []),
    "no secretType": (('"secretType": "clrtxt", "secret": "Mellon2"', f'"secret": "{MD5}"'), []),
    "password that is said to be a hash": (
        ('"secretType": "clrtxt", "secret": "Mellon2"', '"secret": ▲"Mellon2"'),
        [
            'skipped: a secret of type "ha1" must be 32 hexadecimal digits, the MD5 of user:realm:password; '
            'the password itself is of type "clrtxt"'
        ],
    ),
    "hash of another length": (
        ('"secretType": "clrtxt", "secret": "Mellon2"', f'"secretType": "sha256", "secret": ▲"{MD5}"'),
        [
            'skipped: a secret of type "sha256" must be 64 hexadecimal digits, the SHA-256 of user:realm:password; the'
            ' password itself is of type "clrtxt"'
        ],
    ),
    "colon in a secret": (('"secret": "Mellon2"', '"secret": "Mel:lon2"'), []),
    "long secret": (('"secret": "Mellon2"', f'"secret": "{"x" * 230}"'), []),
    "colon in a userid": (
        ('"secret": "Mellon2"', '"secret": "Mellon2", "userid": ▲"a:b"'),
        ['skipped: FreeSWITCH cannot authenticate with a colon in "userid": it cuts the text there'],
    ),
    "SDES": CASES["SDES"],
    "AVPF": (('"mediaEncryption": "none"', '"enableAvpf": true'), []),
    "SDES and AVPF": (('"mediaEncryption": "none"', '"enableAvpf": true, "mediaEncryption": "sdes"'), []),
    "DTLS without AVPF": (('"mediaEncryption": "none"', '"enableAvpf": false, "mediaEncryption": "dtls-srtp"'), []),
    "ZRTP": (('"mediaEncryption": "none"', '"mediaEncryption": "zrtp"'), []),
    "AVPF with ZRTP": CASES["AVPF with ZRTP"],
}


@pytest.mark.parametrize("case", WITH_EDGE)
def test_with_an_edge(case: str) -> None:
    edit, expected = WITH_EDGE[case]
    text, places = without_marks(edited(edit))
    assert said_about(text, EDGE) == [f"p.json:{at}: {message}" for at, message in zip(places, expected, strict=True)]
    assert not any(secret in said for said in said_about(text, EDGE) for secret in (*SECRETS, MD5))


def test_with_an_edge_hashes_do_for_calls_that_are_challenged() -> None:
    text = edited(
        ('"registrationRequired": true', '"registrationRequired": false'),
        ('"secretType": "clrtxt", "secret": "Mellon1"', f'"secret": "{MD5}"'),
    )
    assert said_about(text, EDGE) == []


@pytest.mark.parametrize("case", CASES)
def test_no_message_holds_a_secret(case: str) -> None:
    result = parse_providers(without_marks(edited(CASES[case][0]))[0], "p.json")
    assert not [secret for secret in SECRETS if secret in repr(result)]


@pytest.mark.parametrize("cut", [pytest.param(text, id=text) for text in ("Mellon1", "Mellon2", "Mellon3")])
@pytest.mark.parametrize("damage", ['"{}', "{}", '"a"{}"', '"{}\\', "[{}]", "'{}'", "0{}"])
def test_no_message_about_json_holds_a_secret(cut: str, damage: str) -> None:
    result = parse_providers(GOOD.replace(f'"{cut}"', damage.format(cut)), "p.json")
    assert cut not in repr(result)
