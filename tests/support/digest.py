"""A provider that asks for a digest: what it answers to REGISTER and INVITE, as the rule of a `SipPeer`.

It checks what it is sent as RFC 2617 says: a request that it accepts has the right user, password, realm and URI.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import threading
from collections.abc import Iterable, Mapping

from support.sip_message import SipMessage
from support.sip_rule import Reply, Rule, answers

_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^,\s]+))')


class DigestProvider:
    """Registers accounts and takes their calls.

    Args:
        passwords: by authentication name.
        callee: what it answers to a request once its sender has shown who it is.

    Attributes:
        bindings: the contact that each address of record has registered.
    """

    def __init__(self, realm: str, passwords: Mapping[str, str], callee: Rule | None = None) -> None:
        self.realm = realm
        self.callee = callee or answers()
        self.bindings: dict[str, str] = {}
        self.passwords = dict(passwords)
        self._nonces = (f"nonce{number}" for number in itertools.count())
        self._issued: set[str] = set()
        self._lock = threading.Lock()

    def rule(self, request: SipMessage) -> Iterable[Reply]:
        """What it answers."""
        if request.method not in ("REGISTER", "INVITE") or request.in_dialog:
            return self.callee(request)
        if "Authorization" not in request:
            with self._lock:
                nonce = next(self._nonces)
                self._issued.add(nonce)
            challenge = f'Digest realm="{self.realm}", nonce="{nonce}", algorithm=MD5, qop="auth"'
            return [Reply(401, "Unauthorized", {"WWW-Authenticate": challenge})]
        if not self.accepts(request):
            return [Reply(403, "Forbidden")]
        return self._register(request) if request.method == "REGISTER" else self.callee(request)

    def accepts(self, request: SipMessage) -> bool:
        """Whether a request has the credentials that it should have."""
        scheme, _, rest = request["Authorization"].partition(" ")
        given = {name: quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
        password = self.passwords.get(given.get("username", ""))
        if scheme != "Digest" or password is None or given["nonce"] not in self._issued:
            return False
        ha1 = _md5(given["username"], self.realm, password)
        ha2 = _md5(request.method, request.request_uri)
        expected = _md5(ha1, given["nonce"], given["nc"], given["cnonce"], given["qop"], ha2)
        return (given["realm"], given["uri"], given["response"]) == (self.realm, request.request_uri, expected)

    def _register(self, request: SipMessage) -> list[Reply]:
        address_of_record = request["To"].partition("<")[2].partition(">")[0]
        expires = int(request["Expires"] or 3600)
        if expires == 0:
            self.bindings.pop(address_of_record, None)
            return [Reply(200, "OK")]
        self.bindings[address_of_record] = request["Contact"].partition("<")[2].partition(">")[0]
        return [Reply(200, "OK", {"Contact": f"{request['Contact']};expires={expires}"})]


def _md5(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode()).hexdigest()
