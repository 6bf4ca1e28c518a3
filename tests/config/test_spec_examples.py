"""The two examples of the specification, unchanged."""

from __future__ import annotations

from config_examples import EXAMPLES

from sipbridge.config.load import LoadResult, load_providers, parse_providers

NO_BREAK_SPACE = "no-break space (U+00A0) between values: treated as a space, but other JSON parsers reject it"
BELIEVES_ANY_FROM = (
    "this provider selects accounts by From alone, so anyone who learns an account's contact can call it: add "
    '"side": "inside" here, so that only calls from your own proxy are accepted'
)


def test_first() -> None:
    path = EXAMPLES / "jabiru.json"
    result = load_providers(path)
    assert [str(found) for found in result.diagnostics] == [
        f"{path}:2:1: warning: {NO_BREAK_SPACE}",
        f"{path}:6:26: warning: {BELIEVES_ANY_FROM}",
    ]
    assert result.config is not None
    assert [provider.name for provider in result.config.providers] == [
        "Flexisip -> Jabiru (Outbound)",
        "Jabiru -> Flexisip (Inbound)",
    ]
    assert result.config.pools["JabiruAccountPool"].policy.max_calls_per_line == 20


def test_second_has_a_bad_escape() -> None:
    (error,) = second().errors
    assert (error.line, error.column) == (33, 32)
    assert error.message == (
        r"\5 is not an escape that JSON knows: write \\5 for a backslash and 5, or 5 without the backslash"
    )


def test_then_a_bad_pattern() -> None:
    (error,) = second((r"y\5!", r"y\\5!")).errors
    assert (error.line, error.column) == (9, 20)
    assert "nothing to repeat" in error.message
    assert r"sip:\+33.*" in error.message
    assert r'"sip:\\+33.*"' in error.message


def test_then_nothing() -> None:
    result = second((r"y\5!", r"y\\5!"), ('"+33.*"', r'"sip:\\+33.*"'))
    assert [found.message for found in result.diagnostics] == [NO_BREAK_SPACE]
    assert result.config is not None
    accounts = result.config.pools["FrenchPSTN"].loader
    assert isinstance(accounts, tuple)
    assert [account.secret for account in accounts] == ["|e_Zn+@Oo,LI8W3@4b'd", r"%AMC%Vxn8_7/y\5!k!oM"]


def second(*mended: tuple[str, str]) -> LoadResult:
    text = (EXAMPLES / "french_pstn.json").read_text("utf-8")
    for wrong, right in mended:
        assert wrong in text
        text = text.replace(wrong, right)
    return parse_providers(text, "french_pstn.json")
