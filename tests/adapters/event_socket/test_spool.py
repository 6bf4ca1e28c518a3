"""The spool holds complete, correct gateways exactly as long as needed, readable only by FreeSWITCH."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import gevent
import pytest
from event_socket_examples import ALICE
from hypothesis import example, given
from hypothesis import strategies as st

from sipbridge.adapters.event_socket.spool import Spool
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.sip.uri import parse_sip_uri

EMPTY = "<include>\n</include>\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateways.xml"


@pytest.fixture
def spool(file: Path) -> Spool:
    return Spool(file, retry_s=30)


def params(text: str) -> list[dict[str, str]]:
    return [
        {"gateway": gateway.attrib["name"]} | {param.attrib["name"]: param.attrib["value"] for param in gateway}
        for gateway in ElementTree.fromstring(text)
    ]


def test_a_gateway_is_written_with_all_that_it_needs(spool: Spool, file: Path) -> None:
    with spool.holding([ALICE]):
        (written,) = params(file.read_text())
    expected = {
        "gateway": ALICE.name,
        "username": "alice",
        "auth-username": "alice-auth",
        "password": "pass word",
        "from-user": "alice",
        "from-domain": "provider.example.net",
        "proxy": "provider.example.net",
        "register": "true",
        "register-transport": "tcp",
        "expire-seconds": "600",
        "retry-seconds": "30",
    }
    assert expected.items() <= written.items()
    assert written["register-proxy"] == "sip:registrar.example.net:5070;transport=tcp"
    assert written["outbound-proxy"].startswith("sip:proxy.example.net")


def test_the_realm_is_one_that_nobody_can_ask_for(spool: Spool, file: Path) -> None:
    with spool.holding([ALICE]):
        (written,) = params(file.read_text())
    assert written["realm"] == ALICE.name


@pytest.mark.parametrize(
    ("outbound_proxy", "registrar", "acl"),
    [
        ("sip:192.0.2.1;transport=tcp", "sip:192.0.2.1:5070", "192.0.2.1/32"),
        ("sip:192.0.2.2", "sip:192.0.2.1:5070;transport=tcp", "192.0.2.1/32,192.0.2.2/32"),
        ("sip:proxy.example.net", "sip:192.0.2.1", None),
        ("sip:192.0.2.1", "sip:registrar.example.net", None),
        ("sip:[2001:db8::1]:5070", "sip:[2001:db8::1];transport=tcp", "2001:db8::1/128"),
        ("sip:[2001:db8::1]", "sip:192.0.2.1", None),
    ],
    ids=["one address", "two addresses", "a name and an address", "an address and a name", "IPv6", "IPv6 and IPv4"],
)
def test_where_addresses_are_known_no_name_is_looked_up_for_a_challenge(
    spool: Spool, file: Path, outbound_proxy: str, registrar: str, acl: str | None
) -> None:
    hops = {"outbound_proxy": parse_sip_uri(outbound_proxy), "registrar": parse_sip_uri(registrar)}
    with spool.holding([replace(ALICE, **hops)]):
        (written,) = params(file.read_text())
    assert written.get("gw-auth-acl") == acl


def test_every_gateway_is_there_and_the_frame_has_its_lines_for_itself(spool: Spool, file: Path) -> None:
    names = [GatewayName(f"sipbridge.alice.{number}") for number in range(50)]
    with spool.holding([replace(ALICE, name=name) for name in names]):
        text = file.read_text()
    assert [written["gateway"] for written in params(text)] == names
    lines = text.splitlines()
    assert lines[0] == "<include>"
    assert lines[-1] == "</include>"
    assert len(lines) == 52


def test_nothing_is_left_after_the_block(spool: Spool, file: Path) -> None:
    with spool.holding([ALICE]):
        assert "pass word" in file.read_text()
    assert file.read_text() == EMPTY
    assert [each.name for each in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_after_an_exception(spool: Spool, file: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), spool.holding([ALICE]):
        raise error
    assert file.read_text() == EMPTY


def test_what_a_killed_daemon_left_is_cleared(spool: Spool, file: Path) -> None:
    file.write_text("<include><gateway name='x'><param name='password' value='secret'/></gateway></include>")
    spool.clear()
    assert file.read_text() == EMPTY


def test_what_a_killed_daemon_was_about_to_write_is_cleared(spool: Spool, file: Path) -> None:
    half = file.with_name(f".{file.name}.a1b2c3")
    half.write_text("<include><gateway name='x'><param name='password' value='secret'/></gateway>")
    spool.clear()
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_only_the_folders_group_may_read_it(spool: Spool, file: Path) -> None:
    previous = os.umask(0)
    try:
        with spool.holding([ALICE]):
            held = file.stat()
    finally:
        os.umask(previous)
    assert stat.S_IMODE(held.st_mode) == 0o640
    assert held.st_gid == file.parent.stat().st_gid
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a folder to any group")
def test_the_file_goes_to_the_group_of_its_folder(spool: Spool, file: Path) -> None:
    os.chown(file.parent, -1, 12345)
    with spool.holding([ALICE]):
        assert file.stat().st_gid == 12345


def test_a_reader_sees_the_old_file_or_the_new_one_and_never_half_of_one(spool: Spool, file: Path) -> None:
    spool.clear()
    with file.open() as old:
        with spool.holding([ALICE]):
            assert old.read() == EMPTY
            new = file.open()
        with new:
            assert len(params(new.read())) == 1


def test_others_run_while_thousands_are_written(spool: Spool, file: Path) -> None:
    turns = 0

    def count() -> None:
        nonlocal turns
        while True:
            gevent.sleep(0)
            turns += 1

    counting = gevent.spawn(count)
    with spool.holding([ALICE] * 1_000):
        assert len(params(file.read_text())) == 1_000
    counting.kill()
    assert turns >= 4


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "gateways.xml"
    (folder / "full").mkdir(parents=True)
    spool = Spool(folder, 30)
    with pytest.raises(OSError, match=r"gateways\.xml"), spool.holding([ALICE]):
        pytest.fail("the block must not run")
    assert [each.name for each in tmp_path.iterdir()] == ["gateways.xml"]


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Spool(tmp_path / "none" / "gateways.xml", 30).clear()


# XML 1.0 has no way to write the others; FreeSWITCH reads a character reference for each all the same.
_writable = st.characters(
    exclude_categories=["Cs"],
    exclude_characters=[chr(code) for code in range(32) if chr(code) not in "\t\n\r"] + ["\ufffe", "\uffff"],
)


@given(st.text(_writable, min_size=1), st.text(_writable, min_size=1))
@example('"/><gateway name="x"/>', ']]></gateway><!--#set "a=b"-->')
@example("$${sipbridge_event_socket_password}", "${system(id)}")
@example("a\nb\r\nc\td", '</include>\n<X-PRE-PROCESS cmd="exec" data="id"/>')
def test_any_text_comes_out_as_it_went_in(tmp_path_factory: pytest.TempPathFactory, password: str, user: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.xml"
    with Spool(file, 30).holding([replace(ALICE, password=password, auth_username=user)]):
        text = file.read_text()
    (written,) = params(text)
    assert written["password"] == password
    assert written["auth-username"] == user
    # FreeSWITCH reads it by lines, and puts a variable in the place of each $${name}, before it is XML.
    assert len(text.splitlines()) == 3
    assert "$" not in text


@given(st.text(st.characters(max_codepoint=0xFFFF), max_size=40))
@example("\x00")
@example("\ud800")
def test_no_text_keeps_other_gateways_out(tmp_path_factory: pytest.TempPathFactory, password: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.xml"
    with Spool(file, 30).holding([replace(ALICE, password=password), ALICE]):
        content = file.read_bytes()
    assert re.fullmatch(
        rb"<include>\n<gateway [ -\x7f]*</gateway>\n<gateway [ -\x7f]*</gateway>\n</include>\n", content
    )
    assert content.count(b"<gateway ") == 2
