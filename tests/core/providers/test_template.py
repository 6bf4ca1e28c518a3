"""Template strings: allowed variables per place, values of fields, and errors with positions and suggestions."""

from __future__ import annotations

import pytest
from core_examples import account, by, call, invite, sip_uris, source
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.accounts.account import Account
from sipbridge.core.errors import TemplateError, UriError
from sipbridge.core.providers.template import NO_ACCOUNT, NO_CALL, Template, TemplateScope, parse_template
from sipbridge.core.sip.call import CallRequest
from sipbridge.core.sip.uri import SipUri, parse_name_addr, parse_sip_uri

CALL = call(
    request_uri="sip:+331@bridge.example.org;user=phone",
    from_='"Al \\"A\\" ice" <sip:alice%40x:pw@Ours.example.org:5070;transport=tcp>;tag=1',
    to="sip:bob@ours.example.org;tag=2",
)
ACCOUNT = account("sip:alice@theirs.example.org;transport=tls", alias="sips:al@ours.example.org:5061;lr")
NO_ALIAS = account("sip:alice@theirs.example.org")


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("", ""),
        ("sip:operator@example.org", "sip:operator@example.org"),
        ("{incoming.to}", "sip:bob@ours.example.org"),
        ("{incoming.to.user}", "bob"),
        ("{incoming.to.hostport}", "ours.example.org"),
        ("{incoming.to.uriParameters}", ""),
        ("{incoming.to.displayName}", ""),
        ("{incoming.from}", "sip:alice%40x:pw@Ours.example.org:5070;transport=tcp"),
        ("{incoming.from.user}", "alice%40x"),
        ("{incoming.from.hostport}", "Ours.example.org:5070"),
        ("{incoming.from.uriParameters}", ";transport=tcp"),
        ("{incoming.from.displayName}", '"Al \\"A\\" ice"'),
        ("{incoming.requestUri}", "sip:+331@bridge.example.org;user=phone"),
        ("{incoming.requestUri.user}", "+331"),
        ("{incoming.requestAddress}", "sip:+331@bridge.example.org;user=phone"),
        ("{incoming.requestAddress.uriParameters}", ";user=phone"),
        ("{incoming.requestAddress.displayName}", ""),
        ("{account.uri}", "sip:alice@theirs.example.org;transport=tls"),
        ("{account.uri.uriParameters}", ";transport=tls"),
        ("{account.uri.displayName}", ""),
        ("{account.sipIdentity}", "sip:alice@theirs.example.org;transport=tls"),
        ("{account.sipIdentity.hostport}", "theirs.example.org"),
        ("{account.alias}", "sips:al@ours.example.org:5061;lr"),
        ("{account.alias.user}", "al"),
        ("{account.alias.hostport}", "ours.example.org:5061"),
        ("{account.alias.uriParameters}", ";lr"),
        (
            "sip:{incoming.to.user}@{account.uri.hostport}{incoming.to.uriParameters}",
            "sip:bob@theirs.example.org",
        ),
        (
            "sip:{incoming.from.user}@{account.alias.hostport}{incoming.from.uriParameters}",
            "sip:alice%40x@ours.example.org:5061;transport=tcp",
        ),
        (
            "{incoming.from.displayName} <{account.uri}>",
            '"Al \\"A\\" ice" <sip:alice@theirs.example.org;transport=tls>',
        ),
    ],
)
def test_outgoing_invite(text: str, rendered: str) -> None:
    assert invite(text).render(CALL, ACCOUNT) == rendered


@pytest.mark.parametrize("prefix", ["", "incoming."])
@pytest.mark.parametrize(
    ("name", "rendered"), [("to", "bob"), ("from", "alice%40x"), ("requestUri", "+331"), ("requestAddress", "+331")]
)
def test_source_names_the_call_with_and_without_its_name(prefix: str, name: str, rendered: str) -> None:
    assert source(f"{{{prefix}{name}.user}}").render(CALL, NO_ACCOUNT) == rendered


@pytest.mark.parametrize("prefix", ["", "account."])
@pytest.mark.parametrize(("name", "rendered"), [("uri", "alice"), ("sipIdentity", "alice"), ("alias", "al")])
def test_by_names_the_account_with_and_without_its_name(prefix: str, name: str, rendered: str) -> None:
    assert by(f"{{{prefix}{name}.user}}").render(NO_CALL, ACCOUNT) == rendered


@pytest.mark.parametrize("field", ["", ".user", ".hostport", ".uriParameters", ".displayName"])
def test_fields_of_an_absent_alias_are_empty(field: str) -> None:
    assert invite(f"{{account.alias{field}}}").render(CALL, NO_ALIAS) == ""


@pytest.mark.parametrize(
    ("text", "scope", "offset", "message"),
    [
        ("sip:{incoming.to", TemplateScope.INVITE, 4, '"{" without "}"'),
        ("sip:incoming.to}", TemplateScope.INVITE, 15, '"}" without "{"'),
        ("{{incoming.to}}", TemplateScope.INVITE, 0, '"{" without "}"'),
        ("{incoming.to}}", TemplateScope.INVITE, 13, '"}" without "{"'),
        ("a{}", TemplateScope.INVITE, 2, "unknown variable {}"),
        ("{incomming.to}", TemplateScope.INVITE, 1, "did you mean {incoming.to}?"),
        ("sip:{incoming.to.usr}@x", TemplateScope.INVITE, 5, "did you mean {incoming.to.user}?"),
        ("{account.uri.hostPort}", TemplateScope.INVITE, 1, "did you mean {account.uri.hostport}?"),
        ("{account.uri.}", TemplateScope.INVITE, 1, "did you mean {account.uri}?"),
        ("{account.uri.user.user}", TemplateScope.INVITE, 1, "did you mean {account.uri.user}?"),
        ("{account}", TemplateScope.INVITE, 1, "did you mean {account.uri}?"),
        ("{ incoming.to }", TemplateScope.INVITE, 1, "did you mean {incoming.to}?"),
        ("{zzz}", TemplateScope.INVITE, 1, "known are {incoming.to}, {incoming.from}, "),
        ("{from}", TemplateScope.INVITE, 1, "in outgoingInvite: did you mean {incoming.from}?"),
        ("{account.uri}", TemplateScope.SOURCE, 1, "in accountToUse.source: "),
        ("{form}", TemplateScope.SOURCE, 1, "did you mean {from}?"),
        ("{from}", TemplateScope.BY, 1, "in accountToUse.by: "),
        ("{ailas}", TemplateScope.BY, 1, "did you mean {alias}?"),
    ],
)
def test_errors_say_where_and_what_instead(text: str, scope: TemplateScope, offset: int, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(text, scope)
    assert caught.value.offset == offset
    assert message in str(caught.value)


@given(st.text(st.sampled_from("{}.incoming.from.user @")), st.sampled_from(TemplateScope))
def test_any_text_is_a_template_or_an_error_inside_it(text: str, scope: TemplateScope) -> None:
    try:
        template, offset = parse_template(text, scope), 0
    except TemplateError as error:
        template, offset = None, error.offset
    assert template is None or template.text == text
    assert 0 <= offset <= len(text)


def test_templates_are_equal_when_text_and_scope_are() -> None:
    assert source("{from}") == source("{from}")
    assert hash(source("{from}")) == hash(source("{from}"))
    assert source("{from}") != source("{to}")
    assert invite("{incoming.from}") != source("{incoming.from}")


def test_an_address_that_is_no_sip_uri_is_an_error_only_for_who_names_it() -> None:
    with_urn = call(from_="<urn:service:sos>")
    assert invite("{incoming.to}").render(with_urn, ACCOUNT) == "sip:bob@flexisip.example.org"
    with pytest.raises(UriError, match="urn:"):
        invite("{incoming.from.user}").render(with_urn, ACCOUNT)


def test_a_number_of_a_tel_uri_is_one_of_the_domain_that_was_called() -> None:
    with_tel = call("sip:bob@bridge.example.org:5060", from_="<tel:+33-612345678>")
    assert invite("{incoming.from}").render(with_tel, ACCOUNT) == "sip:+33612345678@bridge.example.org:5060;user=phone"


WITH_URI = [
    "{incoming.from}",
    "{incoming.requestUri}",
    "{account.uri}",
    "{account.alias}",
    "sip:{incoming.to.user}@{account.uri.hostport}",
    "sips:{account.alias.user}@{incoming.from.hostport}{account.uri.uriParameters}",
    "sip:{account.uri.user}@{account.alias.hostport}{account.alias.uriParameters}",
    "sip:{incoming.to.user}@{account.uri.hostport}{account.alias.uriParameters}",
]


@given(st.sampled_from(WITH_URI), sip_uris(), sip_uris(), st.none() | sip_uris())
def test_the_uri_of_a_template_is_what_its_text_parses_to(
    text: str, of_call: SipUri, of_account: SipUri, alias: SipUri | None
) -> None:
    template = invite(text)
    a_call = CallRequest(of_call.text, f"<{of_call.text}>", f'"Bob" <{of_call.text}>')
    an_account = Account(of_account, alias)
    assert template.uri is not None
    uri = template.uri(a_call, an_account)
    rendered = template.render(a_call, an_account)
    if uri is None:
        with pytest.raises(UriError):
            parse_name_addr(rendered)
    else:
        assert uri == parse_sip_uri(rendered)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:bob@example.org",
        "{incoming.to.user}",
        "<{incoming.to}>",
        "{incoming.to}{incoming.from}",
        "sip:{incoming.to.user}@example.org",
        "sip:{incoming.to.hostport}@{account.uri.user}",
        "tel:{incoming.to.user}@{account.uri.hostport}",
        "sip:{incoming.to.user}@{account.uri.hostport};user=phone",
        "sip:x{incoming.to.user}@{account.uri.hostport}",
    ],
)
def test_other_templates_are_rendered_and_parsed(text: str) -> None:
    assert invite(text).uri is None


def test_a_template_made_without_parsing_is_as_good() -> None:
    assert Template("x", TemplateScope.INVITE, ("x",)) == invite("x")
