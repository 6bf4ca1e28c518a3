"""Settings: values from file and environment, their precedence, and errors."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sipbridge.core.calls.routing import DeclineReason
from sipbridge.core.providers.edge import Edge, EdgeReason
from sipbridge.core.providers.media import MediaEncryption
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.settings import (
    FILE_VARIABLE,
    CallSettings,
    DeclineSettings,
    EventSocketSettings,
    LogLevel,
    Settings,
    SettingsError,
    load_settings,
)
from sipbridge.settings.reading.setting_values import settings_of

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "sipbridge.toml"
        path.write_text(text, "utf-8")
        path.chmod(0o640)
        return path

    return write


def faults(path: Path | None, environ: dict[str, str] | None = None, *, for_run: bool = False) -> list[str]:
    """What is said about settings that cannot be used, with the folder of the file left out."""
    with pytest.raises(SettingsError) as caught:
        load_settings(path, environ or {}, for_run=for_run)
    assert str(caught.value).splitlines() == [str(found) for found in caught.value.diagnostics]
    return [line.replace(f"{path.parent}{os.sep}", "") if path else line for line in str(caught.value).splitlines()]


def test_nothing_given_is_the_defaults() -> None:
    assert load_settings(None, {}) == Settings()


def test_file(write: Write) -> None:
    path = write(
        """
        providers_file = "providers.json"   # relative to this file

        [event_socket]
        host = "::1"
        port = 8022
        password = "Mellon"
        connect_timeout_s = 2

        [calls]
        media_encryption = "sdes"

        [calls.decline]
        no_provider = "404 Not Found"

        [control]
        socket = "/run/other.sock"

        [logging]
        level = "debug"
        """
    )
    settings = load_settings(path, {}, for_run=True)
    assert settings.providers_file == path.parent / "providers.json"
    assert settings.event_socket == EventSocketSettings(host="::1", port=8022, password="Mellon", connect_timeout_s=2.0)
    assert settings.calls == CallSettings(
        media_encryption=MediaEncryption.SDES, decline=DeclineSettings(no_provider="404 Not Found")
    )
    assert settings.media_defaults == MediaDefaults(MediaEncryption.SDES)
    assert settings.control.socket == Path("/run/other.sock")
    assert settings.logging.level is LogLevel.DEBUG
    assert settings.warnings == ()


def test_environment_goes_before_the_file(write: Write) -> None:
    path = write('[event_socket]\nhost = "a.example"\nport = 1\n[calls]\nlease_s = 9\n')
    settings = load_settings(
        path,
        {
            "SIPBRIDGE_PROVIDERS_FILE": "providers.json",
            "SIPBRIDGE_EVENT_SOCKET__PORT": "8023",
            "SIPBRIDGE_EVENT_SOCKET__COMMAND_TIMEOUT_S": "0.5",
            "SIPBRIDGE_CALLS__MEDIA_ENCRYPTION": "dtls-srtp",
            "SIPBRIDGE_CALLS__ENABLE_AVPF": "true",
            "SIPBRIDGE_CALLS__DECLINE__NO_PROVIDER": "503 Service Unavailable",
            FILE_VARIABLE: "elsewhere.toml",
            "PATH": "/bin",
        },
    )
    assert settings.providers_file == Path("providers.json")
    assert settings.event_socket == EventSocketSettings(host="a.example", port=8023, command_timeout_s=0.5)
    assert settings.calls.lease_s == 9
    assert settings.media_defaults == MediaDefaults(MediaEncryption.DTLS_SRTP, enable_avpf=True)
    assert settings.calls.status_lines[DeclineReason.NO_PROVIDER] == "503 Service Unavailable"


@pytest.mark.parametrize(
    ("given", "edge"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"ENABLED": "true"}, Edge(parse_sip_uri("sip:127.0.0.1:5090")), id="as usual"),
        pytest.param(
            {"ENABLED": "true", "ACCOUNTS": "all", "ADDRESS": "[::1]:5091"},
            Edge(parse_sip_uri("sip:[::1]:5091"), EdgeReason.ALL),
            id="all accounts",
        ),
    ],
)
def test_edge(given: dict[str, str], edge: Edge | None) -> None:
    environ = {f"SIPBRIDGE_EDGE__{name}": value for name, value in given.items()}
    assert load_settings(None, environ).edge.edge == edge


def test_with_an_edge_the_settings_may_ask_for_its_media() -> None:
    asked = {"SIPBRIDGE_CALLS__ENABLE_AVPF": "true"}
    assert load_settings(None, asked | {"SIPBRIDGE_EDGE__ENABLED": "true"}).media_defaults == MediaDefaults(
        enable_avpf=True
    )
    assert "only together with DTLS" in faults(None, asked)[0]


def test_every_reason_to_decline_has_a_status() -> None:
    expected = dict.fromkeys(DeclineReason, "488 Not Acceptable Here")
    expected[DeclineReason.DRAINING] = expected[DeclineReason.OVERLOAD] = "503 Service Unavailable"
    assert dict(CallSettings().status_lines) == expected
    distinct = {field.name: f"{400 + n} X" for n, field in enumerate(dataclasses.fields(DeclineSettings))}
    lines = CallSettings(decline=DeclineSettings(**distinct)).status_lines
    assert {reason.value.replace("-", "_"): line for reason, line in lines.items()} == distinct


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("\nprot = 1", '2:1: error: unknown setting "prot": known are', id="unknown"),
        pytest.param('provider_file = "x"', '1:1: error: unknown setting "provider_file": did you mean', id="misspelt"),
        pytest.param(
            "[sofia]\n  profile = 1", '2:3: error: unknown setting "profile" in [sofia]: did you', id="in a table"
        ),
        pytest.param(
            "a = 1\n[gatways]\nx = 1", '2:2: error: unknown setting "gatways": did you mean "gateways"?', id="table"
        ),
        pytest.param("sofia = 5", '1:9: error: "sofia" is a table: write [sofia] and', id="no table"),
        pytest.param(
            "[event_socket]\nport = '8021'", '2:8: error: "port" must be a whole number', id="text for a number"
        ),
        pytest.param(
            "[event_socket]\nport = true", '2:8: error: "port" must be a whole number', id="boolean for a number"
        ),
        pytest.param(
            "[event_socket]\nport = 65536", '2:8: error: "port" must be from 1 to 65535, not 65536', id="too big"
        ),
        pytest.param("event_socket.port = 0", '1:21: error: "port" must be from 1 to 65535, not 0', id="dotted key"),
        pytest.param("event_socket = { port = 0 }", '1:16: error: "port" must be from 1 to 65535', id="inline table"),
        pytest.param("[calls]\nlease_s = 6.5", '2:11: error: "lease_s" must be a whole number', id="fraction"),
        pytest.param(
            "[event_socket]\nbackoff_min_s = nan", '2:17: error: "backoff_min_s" must be from', id="not a number"
        ),
        pytest.param(
            "[calls]\nenable_avpf = 'yes'", '2:15: error: "enable_avpf" must be true or false', id="no boolean"
        ),
        pytest.param("[calls]\nmedia_encryption = 'srtp'", "must be one of none, sdes, dtls-srtp, zrtp", id="choice"),
        pytest.param("[logging]\nlevel = 10", '2:9: error: "level" must be one of debug, info', id="choice by number"),
        pytest.param("[sofia]\ninside_profile = 'a b'", "must be the name of a sofia profile", id="profile"),
        pytest.param(
            '[event_socket]\npassword = "Mel\\nlon"',
            "must be a non-empty string without control characters",
            id="password",
        ),
        pytest.param("providers_file = 5", '1:18: error: "providers_file" must be the path of a file', id="path"),
        pytest.param(
            'providers_file = "a\\u0000b"',
            '"providers_file" must be the path of a file, in quotation marks, without',
            id="zero",
        ),
        pytest.param(
            "[calls]\nenable_avpf = true", "2:15: error: FreeSWITCH offers AVPF only together with DTLS", id="media"
        ),
        pytest.param(
            "[calls]\nmedia_encryption = 'zrtp'\nenable_avpf = true", "3:15: error: with ZRTP, media passes", id="zrtp"
        ),
        pytest.param("[edge]\naddress = 'localhost:5090'", '2:11: error: "address" must be an IP', id="no address"),
        pytest.param("[edge]\naddress = '127.0.0.1'", "must be an IP address and a port", id="no port"),
        pytest.param("[edge]\naddress = '127.0.0.1:65536'", "must be an IP address and a port", id="no such port"),
        pytest.param("[edge]\naddress = '::1:5090'", "must be an IP address and a port", id="no brackets"),
        pytest.param(
            "[gateways]\nrefused_next_hops = '10.0.0.1, proxy'",
            '2:21: error: "refused_next_hops" must be IP',
            id="hops",
        ),
        pytest.param("[gateways]\nrefused_next_hops = '10.0.0.1,'", "must be IP addresses and networks", id="comma"),
        pytest.param("[gateways]\nrefused_next_hops = '[::1]'", "must be IP addresses and networks", id="brackets"),
        pytest.param(
            "[gateways]\nrefused_next_hops = '10.0.0.1/8'", "write 10.0.0.0/8 instead of 10.0.0.1/8", id="host bits"
        ),
        pytest.param("[gateways]\nrefused_next_hops = ['10.0.0.1']", "must be a string", id="array"),
        pytest.param("[edge]\naccounts = 'some'", "must be one of needed, all", id="accounts of the edge"),
        pytest.param(
            "[event_socket]\nbackoff_min_s = 40", "2:17: error: must not be more than backoff_max_s", id="backoff"
        ),
        pytest.param("a = [\n1", "2:2: error: unclosed array", id="unclosed"),
        pytest.param("[a]\nb = Mellon", "2:5: error: invalid value", id="no quotation marks"),
        pytest.param("b = 1\nb = 2", "2:6: error: cannot overwrite a value", id="twice"),
    ],
)
def test_fault_in_the_file(write: Write, text: str, expected: str) -> None:
    found = faults(write(text))
    assert any(expected in line for line in found), found
    assert not any("Mellon" in line or "Mel" in line for line in found)


@pytest.mark.parametrize(
    "status",
    [
        "200 OK",
        "399 X",
        "700 X",
        "488",
        "488 ",
        "488  X",
        "48 X",
        "4888 X",
        "X",
        "488 A\r\nVia: x",
        "488 ${system(id)}",
        "488 a\\b",
        "",
    ],
)
def test_status_that_is_none(write: Write, status: str) -> None:
    (found,) = faults(None, {"SIPBRIDGE_CALLS__DECLINE__BAD_ADDRESS": status})
    assert found == (
        "SIPBRIDGE_CALLS__DECLINE__BAD_ADDRESS: error: must be a SIP status from 400 to 699 and its phrase, "
        'such as "503 Service Unavailable"'
    )


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        pytest.param("EVENT_SOCKET__PORT", "x", "must be a whole number", id="no number"),
        pytest.param("EVENT_SOCKET__PORT", "", "must be a whole number, not empty", id="empty"),
        pytest.param("EVENT_SOCKET__CONNECT_TIMEOUT_S", "inf", "must be from 0.1 to 300, not inf", id="infinite"),
        pytest.param("CALLS__ENABLE_AVPF", "1", "must be one of true, false", id="boolean"),
        pytest.param("PROVIDERS_FILE", " ", "must be the path of a file, in quotation marks, not empty", id="path"),
        pytest.param("EVENT_SOCKET__HOTS", "x", 'did you mean "SIPBRIDGE_EVENT_SOCKET__HOST"?', id="misspelt"),
        pytest.param("event_socket__port", "1", 'did you mean "SIPBRIDGE_EVENT_SOCKET__PORT"?', id="lower case"),
        pytest.param("EVENT_SOCKET", "x", "unknown setting", id="table"),
    ],
)
def test_fault_in_the_environment(variable: str, value: str, expected: str) -> None:
    (found,) = faults(None, {f"SIPBRIDGE_{variable}": value})
    assert found.startswith(f"SIPBRIDGE_{variable}: error: ")
    assert expected in found


def test_all_faults_at_once_the_file_first(write: Write) -> None:
    path = write("[sofia]\nx = 1\n[calls]\nlease_s = 1\n")
    found = faults(path, {"SIPBRIDGE_EVENT_SOCKET__PORT": "0", "SIPBRIDGE_LOGGING__LEVEL": "?"}, for_run=True)
    assert [line.partition(": ")[0] for line in found] == [
        "sipbridge.toml:2:1",
        "sipbridge.toml:4:11",
        "SIPBRIDGE_EVENT_SOCKET__PORT",
        "SIPBRIDGE_LOGGING__LEVEL",
        "SIPBRIDGE_PROVIDERS_FILE",
        "SIPBRIDGE_EVENT_SOCKET__PASSWORD",
    ]


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert faults(tmp_path / "none.toml") == ["none.toml: error: cannot be read: No such file or directory"]
    (tmp_path / "latin1.toml").write_bytes(b"# \xe9")
    assert faults(tmp_path / "latin1.toml") == ["latin1.toml: error: is not UTF-8: save it as UTF-8"]


def test_what_is_wrong_is_not_missing_too() -> None:
    found = faults(None, {"SIPBRIDGE_PROVIDERS_FILE": "", "SIPBRIDGE_EVENT_SOCKET__PASSWORD": ""}, for_run=True)
    assert len(found) == 2
    assert not any("missing" in line for line in found)


class TestPassword:
    """Required to run, from one place, and never shown."""

    def test_is_never_shown(self) -> None:
        settings = load_settings(None, {"SIPBRIDGE_EVENT_SOCKET__PASSWORD": "Mellon"})
        assert settings.event_socket.password == "Mellon"
        assert "Mellon" not in repr(settings)

    def test_from_a_file(self, write: Write, tmp_path: Path) -> None:
        self.password_file(tmp_path, "Mel lon\n", 0o600)
        settings = load_settings(write('[event_socket]\npassword_file = "password"'), {})
        assert settings.event_socket.password == "Mel lon"
        assert settings.warnings == ()

    def test_file_that_everyone_can_read(self, write: Write, tmp_path: Path) -> None:
        file = self.password_file(tmp_path, "Mellon", 0o644)
        path = write('[event_socket]\npassword_file = "password"')
        (warning,) = load_settings(path, {}).warnings
        assert str(warning) == f"{path}:2:17: warning: every user can read the password: chmod o-r {file}"

    def test_settings_file_that_everyone_can_read(self, write: Write) -> None:
        path = write('[event_socket]\npassword = "Mellon"')
        path.chmod(0o644)
        (warning,) = load_settings(path, {}).warnings
        assert str(warning) == (
            f"{path}:2:12: warning: every user can read this password: chmod o-r {path}, or use password_file"
        )

    @pytest.mark.parametrize("content", ["", "\n", "Mel\nlon", "Mel\0lon"])
    def test_file_without_a_password(self, tmp_path: Path, content: str) -> None:
        file = self.password_file(tmp_path, content, 0o600)
        (found,) = faults(None, {"SIPBRIDGE_EVENT_SOCKET__PASSWORD_FILE": str(file)})
        assert found == (
            f"SIPBRIDGE_EVENT_SOCKET__PASSWORD_FILE: error: the content of {file} must be a non-empty string "
            "without control characters"
        )

    def test_missing_file(self, tmp_path: Path) -> None:
        (found,) = faults(None, {"SIPBRIDGE_EVENT_SOCKET__PASSWORD_FILE": str(tmp_path / "none")})
        assert found.endswith(f"{tmp_path / 'none'} cannot be read: No such file or directory")

    def test_both(self, write: Write, tmp_path: Path) -> None:
        self.password_file(tmp_path, "Mellon", 0o600)
        (found,) = faults(write('[event_socket]\npassword = "Mellon"\npassword_file = "password"'))
        assert found == "sipbridge.toml:3:17: error: the password is set too: keep one of the two"

    def test_file_is_left_alone_by_who_needs_no_password(self, write: Write) -> None:
        path = write('[event_socket]\npassword_file = "not there"')
        assert load_settings(path, {}, passwords=False).event_socket.password == ""

    def test_environment_replaces_the_file_in_the_settings_file(self, write: Write) -> None:
        path = write('[event_socket]\npassword_file = "none"')
        settings = load_settings(path, {"SIPBRIDGE_EVENT_SOCKET__PASSWORD": "Mellon"})
        assert settings.event_socket.password == "Mellon"
        assert settings.event_socket.password_file is None

    @staticmethod
    def password_file(folder: Path, content: str, mode: int) -> Path:
        path = folder / "password"
        path.write_text(content, "utf-8")
        path.chmod(mode)
        return path


def documented(cls: type) -> list[str]:
    """The fields of a dataclass that have a docstring below them."""
    body = ast.parse(inspect.getsource(cls)).body[0]
    assert isinstance(body, ast.ClassDef)
    return [
        field.target.id
        for field, below in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    ]


def test_every_setting_is_documented() -> None:
    tables = [Settings, *(type(value) for value in vars_of(Settings()) if dataclasses.is_dataclass(value))]
    tables.append(DeclineSettings)
    for table in tables:
        names = [field.name for field in dataclasses.fields(table) if not field.metadata.get("not_a_setting")]
        assert documented(table) == names


def vars_of(settings: Any) -> list[Any]:
    return [getattr(settings, field.name) for field in dataclasses.fields(settings)]


SETTINGS = sorted("SIPBRIDGE_" + "__".join(map(str, path)).upper() for path, _ in settings_of(Settings))


@hypothesis_settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*SETTINGS, "SIPBRIDGE_", "SIPBRIDGE_X"]), st.text() | st.sampled_from(["1", "30", "true"])
    )
)
def test_no_environment_makes_anything_else_happen(environ: dict[str, str]) -> None:
    try:
        settings, said = load_settings(None, environ), ()
    except SettingsError as error:
        settings, said = None, error.diagnostics
    assert (settings is None) == any(found.is_error for found in said)
