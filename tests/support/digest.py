"""Digests: a provider that asks for them, as the rule of a `SipPeer`, and the answer that FreeSWITCH gives to it.

The provider checks what it is sent as RFC 7616 says: a request that it accepts has the right user, password, realm,
algorithm and URI.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from support.sip_message import SipMessage
from support.sip_rule import Reply, Rule, answers

_PARAMETER = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^,\s]+))')


def md5(*parts: str) -> str:
    """The MD5 of parts joined by colons; of user, realm and password it is the HA1."""
    return hashlib.md5(":".join(parts).encode()).hexdigest()


def sha256(*parts: str) -> str:
    """Likewise by SHA-256."""
    return hashlib.sha256(":".join(parts).encode()).hexdigest()


_HASHES: Mapping[str, Callable[..., str]] = {"MD5": md5, "SHA-256": sha256}


class DigestProvider:
    """Registers accounts and takes their calls.

    Args:
        passwords: by authentication name.
        callee: what it answers to a request once its sender has shown who it is.
        algorithms: what it asks for; a challenge for each.
        qop: whether it asks for quality of protection, as all do but those of RFC 2069.
        challenges: the methods that it asks for a digest; INVITE only outside of dialogs.
        as_proxy: whether it asks with 407, and not with 401, for all but REGISTER.
        once: whether a nonce is good for one request, and then asked for anew.
        granted_s: how long a registration lasts; by default what is asked for.

    Attributes:
        bindings: the contact that each address of record has registered.
    """

    def __init__(
        self,
        realm: str,
        passwords: Mapping[str, str],
        callee: Rule | None = None,
        *,
        algorithms: Sequence[str] = ("MD5",),
        qop: bool = True,
        challenges: Collection[str] = ("REGISTER", "INVITE"),
        as_proxy: bool = False,
        once: bool = False,
        granted_s: int | None = None,
    ) -> None:
        self.realm = realm
        self.callee = callee or answers()
        self.bindings: dict[str, str] = {}
        self.passwords = dict(passwords)
        self._algorithms = algorithms
        self._qop = qop
        self._challenges = challenges
        self._as_proxy = as_proxy
        self._once = once
        self._granted_s = granted_s
        self._nonces = (f"nonce{number}" for number in itertools.count())
        self._issued: set[str] = set()
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def rule(self, request: SipMessage) -> Iterable[Reply]:
        """What it answers."""
        if request.method not in self._challenges or (request.method == "INVITE" and request.in_dialog):
            return self.callee(request)
        given = _parameters(_credentials(request))
        nonce = given.get("nonce", "")
        # Those for another realm are as good as none: RFC 3261 §22.1 has them be for this one alone.
        if given.get("realm") != self.realm or nonce in self._used:
            return [self._challenge(request)]
        if not self.accepts(request):
            return [Reply(403, "Forbidden")]
        if self._once:
            self._used.add(nonce)
        return self._register(request) if request.method == "REGISTER" else self.callee(request)

    def accepts(self, request: SipMessage) -> bool:
        """Whether a request has the credentials that it should have."""
        scheme, _, rest = _credentials(request).partition(" ")
        given = _parameters(rest)
        password = self.passwords.get(given.get("username", ""))
        algorithm = given.get("algorithm", "MD5")
        if scheme != "Digest" or password is None or given["nonce"] not in self._issued:
            return False
        if algorithm not in self._algorithms or ("qop" in given) != self._qop:
            return False
        ha1 = _HASHES[algorithm](given["username"], self.realm, password)
        expected = _response(ha1, given, request.method, request.request_uri)
        return (given["realm"], given["uri"], given["response"]) == (self.realm, request.request_uri, expected)

    def _challenge(self, request: SipMessage) -> Reply:
        with self._lock:
            nonce = next(self._nonces)
            self._issued.add(nonce)
        qop = ', qop="auth"' if self._qop else ""
        challenges = tuple(
            f'Digest realm="{self.realm}", nonce="{nonce}", algorithm={algorithm}{qop}'
            for algorithm in self._algorithms
        )
        if self._as_proxy and request.method != "REGISTER":
            return Reply(407, "Proxy Authentication Required", {"Proxy-Authenticate": challenges})
        return Reply(401, "Unauthorized", {"WWW-Authenticate": challenges})

    def _register(self, request: SipMessage) -> list[Reply]:
        address_of_record = request["To"].partition("<")[2].partition(">")[0]
        expires = int(request["Expires"] or 3600)
        if expires == 0:
            self.bindings.pop(address_of_record, None)
            return [Reply(200, "OK")]
        self.bindings[address_of_record] = request["Contact"].partition("<")[2].partition(">")[0]
        return [Reply(200, "OK", {"Contact": f"{request['Contact']};expires={self._granted_s or expires}"})]


def answer_to(challenge: str, username: str, password: str, method: str, uri: str) -> str:
    """What FreeSWITCH puts into Authorization; it knows MD5 only.

    Args:
        challenge: a WWW-Authenticate or Proxy-Authenticate header.
    """
    asked = _parameters(challenge.partition(" ")[2])
    if asked.get("algorithm", "MD5") != "MD5":
        raise ValueError(f"FreeSWITCH cannot answer {challenge!r}")
    given = {"username": username, "realm": asked["realm"], "nonce": asked["nonce"], "uri": uri, "cnonce": "c0ffee"}
    if "qop" in asked:
        given |= {"qop": "auth", "nc": "00000001"}
    response = _response(md5(username, asked["realm"], password), given, method, uri)
    quoted = ", ".join(f'{name}="{given[name]}"' for name in ("username", "realm", "nonce", "cnonce", "uri"))
    qop = f", qop={given['qop']}, nc={given['nc']}" if "qop" in given else ""
    return f'Digest {quoted}, algorithm=MD5, response="{response}"{qop}'


def _credentials(request: SipMessage) -> str:
    return request["Authorization"] or request["Proxy-Authorization"]


def _parameters(text: str) -> dict[str, str]:
    return {name: re.sub(r"\\(.)", r"\1", quoted) or plain for name, quoted, plain in _PARAMETER.findall(text)}


def _response(ha1: str, given: Mapping[str, str], method: str, uri: str) -> str:
    hash_ = _HASHES[given.get("algorithm", "MD5")]
    ha2 = hash_(method, uri)
    if "qop" not in given:
        return hash_(ha1, given["nonce"], ha2)
    return hash_(ha1, given["nonce"], given["nc"], given["cnonce"], given["qop"], ha2)
