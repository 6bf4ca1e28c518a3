"""What ends FreeSWITCH in the SDP of a request or an answer, and what looks like it and is carried."""

from __future__ import annotations

from support.sdp_offers import AUDIO, CRYPTO, HEAD, KEY, OFFERS

_SAVP = HEAD + AUDIO.replace("RTP/AVP", "RTP/SAVP")
_CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"
# Decoded to behind the 64 octets that a key has on the stack.
_LONG = "A" * 800 + "\r\n"

DEADLY = {
    "an empty key": _SAVP + _CRYPTO + "|" + _LONG,
    "a blank before the key": _SAVP + _CRYPTO + " " + _LONG,
    "an empty second key": _SAVP + _CRYPTO + KEY + " :|" + _LONG,
    "a ptime without a value": HEAD + "a=ptime\r\n" + AUDIO,
    "a maxptime without a value": HEAD + "a=maxptime:\r\n" + AUDIO,
    "a setup without a value": HEAD + AUDIO + "a=setup\r\n",
    "a codec without a name": HEAD + AUDIO + "a=rtpmap:8 \x0b8000\r\n",
}
"""Each ends a FreeSWITCH that reads it; the first three, 1.10 alone, where SDES is on."""

MALFORMED = {
    **DEADLY,
    "an empty key and nothing behind it": _SAVP + CRYPTO.replace(KEY, ""),
    "an MKI of 128 octets": _SAVP + CRYPTO.replace("|1:4", "|1:128"),
    "a short key": _SAVP + CRYPTO.replace(KEY, "QUJD"),
    "a suite in a longer name": _SAVP + CRYPTO.replace("AES_CM", "X_AES_CM"),
    "two keys": _SAVP + CRYPTO.replace("|1:4", f"|1:4;inline:{KEY}|2^20|2:4"),
    "a ufrag of 256 characters": HEAD + AUDIO + f"a=ice-ufrag:{'u' * 256}\r\n",
    "a short fingerprint": HEAD + AUDIO + "a=fingerprint:sha-256 00:11\r\n",
    "ptime hidden behind a CR": HEAD.replace("s=-", "s=-\ra=ptime") + AUDIO,
    "ptime after blanks": HEAD + "  a= ptime\r\n" + AUDIO,
    "no origin": "v=0\r\nx\r\n",
    "MSRP": HEAD + AUDIO + "m=message 9 TCP/MSRP *\r\n",
}
"""What a proxy before FreeSWITCH does not let through."""

CARRIED = {name: offer for name, offer in OFFERS.items() if name != "line feeds alone"}
