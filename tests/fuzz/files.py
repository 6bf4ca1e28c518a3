"""What an operator writes: the providers file, what is in it, and the settings. Writes a file of settings."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from fuzz.target import SEPARATOR, Target, as_text, texts_of_file
from sipbridge.config.connection.connection_string import BackendError, parse_connection
from sipbridge.config.connection.keyword_values import ConnectionStringError
from sipbridge.config.load import LoadResult, parse_providers
from sipbridge.config.regex.patterns import PatternError, compile_pattern
from sipbridge.settings import PREFIX, SettingsError, load_settings


def _check_diagnostics(result: LoadResult, text: bytes) -> None:
    lines = text.count(b"\n") + 1
    for found in result.diagnostics:
        assert 1 <= found.line <= lines
        assert found.column >= 1
        assert str(found).isprintable()
    assert (result.config is None) == bool(result.errors)


def check_providers(data: bytes) -> None:
    _check_diagnostics(parse_providers(data, "providers.json"), data)


def check_connection(data: bytes) -> None:
    backend, text = texts_of_file(data, 2)
    try:
        connection = parse_connection(backend, text)
    except (BackendError, ConnectionStringError):
        return
    password = connection.url.password
    if isinstance(password, str) and len(password) >= 8:
        shown = repr(connection)
        assert password not in shown or password in text.replace(password, "", 1)


def check_pattern(data: bytes) -> None:
    pattern, text = texts_of_file(data, 2)
    try:
        compiled = compile_pattern(pattern)
    except PatternError as error:
        assert error.offset is None or 0 <= error.offset <= len(pattern)
        return
    if compiled.is_quick:
        compiled.matches(text)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="sipbridge-fuzz-")


def check_settings(data: bytes) -> None:
    """A settings file, and a variable of the environment, which can be any bytes but a NUL."""
    toml, variable, value = [*data.split(SEPARATOR, 2), b"", b""][:3]
    path = Path(_folder().name) / "sipbridge.toml"
    path.write_bytes(toml)
    path.chmod(0o600)
    environ = {PREFIX + as_text(variable.replace(b"\0", b"")).upper(): as_text(value.replace(b"\0", b""))}
    try:
        settings = load_settings(path, environ, for_run=True)
    except SettingsError as error:
        assert any(found.is_error for found in error.diagnostics)
        assert all(str(found).isprintable() for found in error.diagnostics)
        return
    assert settings.event_socket.password
    assert settings.event_socket.password not in repr(settings)
    assert all(str(found).isprintable() for found in settings.warnings)


_PROVIDERS = b"""{"schemaVersion":2,"providers":[{"name":"p","triggerCondition":{"strategy":"MatchRegex",
"pattern":"sip:a.*"},"accountToUse":{"strategy":"FindInPool","by":"alias","source":"{from}"},"onAccountNotFound":"nextProvider","outgoingInvite":
{"to":"sip:{incoming.to.user}@x","mediaEncryption":"sdes"},"accountPool":"a"}],"accountPools":{"a":{"outboundProxy":
"<sip:p;transport=tls>","registrationRequired":true,"maxCallsPerLine":1,"loader":[{"uri":"sip:a@b","secretType":"clrtxt",
"secret":"s"}]}}}"""


TARGETS: Mapping[str, Target] = {
    "providers": Target(
        check_providers,
        (_PROVIDERS,),
        (b'"', b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"1e400", b"\\u", b"\xc2\xa0", b"\n"),
    ),
    "connection": Target(
        check_connection,
        (
            b"mysql\x1edb='users' user='it\\'s' password='se cret123' host=127.0.0.1 port=3306",
            b"mysql\x1emysql+pymysql://user:pass%40word1@host/database?charset=utf8",
            b"sqlite3\x1e/var/lib/x.sqlite",
        ),
        (b"'", b"\\", b"=", b" ", b"mysql", b"sqlite3", b"://", b"%", b"@", SEPARATOR),
    ),
    "pattern": Target(
        check_pattern,
        (b"sip:\\+33.*\x1esip:+331@x", b"(a|b)*[[:digit:]]{2,3}\x1eab12", b"^(?:a+)+$\x1eaaaa"),
        (
            b"(",
            b")",
            b"[",
            b"]",
            b"*",
            b"+",
            b"?",
            b"{2}",
            b"|",
            b"(?:",
            b"(?=",
            b"\\1",
            b"[[:digit:]]",
            b"^",
            b"$",
            b"\\",
            SEPARATOR,
        ),
    ),
    "settings": Target(
        check_settings,
        (
            b'providers_file="p"\n[event_socket]\nport = 8021\npassword = """Mellon-7f3a"""\n[calls.decline]\n'
            b"no_provider = '404 Not Found'\n[redis]\nurl = \"redis://u:p@h:1/0\"\x1eHTTP__PORT\x1e9461",
            b"event_socket.password = 'Mellon'\r\nhttp = {port = 0x10, host = '::1'}\n[[edge]]\n",
        ),
        (
            b"[",
            b"]",
            b"[[",
            b"{",
            b"}",
            b'"',
            b"'",
            b'"""',
            b"\\u0007",
            b"\n",
            b"=",
            b".",
            b"a.",
            b"a=1\n",
            b"1979-05-27T00:00:00Z",
            b"1e999",
            b"nan",
            b"0x",
            b"9" * 20,
            b"password_file",
            b"true",
            b"#",
            b"a=" + b"[" * 1_500,
            b"a=" + b"9" * 5_000,
            b"\xff",
            SEPARATOR,
        ),
    ),
}
