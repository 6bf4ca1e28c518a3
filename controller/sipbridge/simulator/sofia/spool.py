"""Parses the spool file into gateway definitions, or returns FreeSWITCH's error about it. Reads the file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

_NAME = re.compile(r"[\w.\-]+")


@dataclass(frozen=True, slots=True)
class GatewayDefinition:
    """A ``<gateway>`` element: its name and its parameters, unchanged."""

    name: str
    parameters: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def registers(self) -> bool:
        """Whether it sends REGISTER; FreeSWITCH's default is yes."""
        return self.parameters.get("register", "true") == "true"

    @property
    def username(self) -> str:
        """The user part of its address."""
        return self.parameters.get("username") or "FreeSWITCH"

    @property
    def password(self) -> str:
        """The password in clear text; FreeSWITCH supports nothing else."""
        return self.parameters.get("password", "")

    @property
    def realm(self) -> str:
        """The digest realm."""
        return self.parameters.get("realm") or self.parameters.get("proxy") or self.name

    @property
    def proxy(self) -> str:
        """The domain, with its port."""
        return self.parameters.get("proxy") or self.realm

    @property
    def from_domain(self) -> str:
        """The host in its From header."""
        return self.parameters.get("from-domain") or self.proxy

    @property
    def register_proxy(self) -> str:
        """Next hop of REGISTER."""
        return self.parameters.get("register-proxy", self.proxy)

    @property
    def transport(self) -> str:
        """``udp``, ``tcp`` or ``tls``."""
        return self.parameters.get("register-transport", "udp")

    @property
    def expire_s(self) -> int:
        """The requested lifetime of a registration."""
        return self._seconds("expire-seconds", 3600, least=1)

    @property
    def retry_s(self) -> int:
        """Pause after a failure."""
        return self._seconds("retry-seconds", 30, least=5)

    @property
    def timeout_s(self) -> int:
        """The time it waits for an answer to REGISTER."""
        return self._seconds("timeout-seconds", 60, least=5)

    def _seconds(self, parameter: str, default: int, least: int) -> int:
        """Return a numeric parameter; FreeSWITCH uses the default if it is too small."""
        value = self.parameters.get(parameter, "")
        return int(value) if value.isdigit() and int(value) >= least else default


@dataclass(frozen=True, slots=True)
class Spool:
    """The result of a rescan.

    Attributes:
        outcome: ``Success``, or ``[error near line 3]: …``; with an error the old configuration stays.
    """

    outcome: str
    gateways: tuple[GatewayDefinition, ...] = ()


def load_spool(path: Path) -> Spool:
    """Read the gateways that a profile would include now; none if the file does not exist."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Spool("Success")
    # The preprocessor searches for these line by line, and drops the rest of the line.
    lines = ["" if re.search(r"</?include\s*>", line) else line for line in text.split("\n")]
    try:
        # The file is written by the controller.
        root = ET.fromstring("<gateways>" + "\n".join(lines) + "</gateways>")  # noqa: S314
    except ET.ParseError as error:
        return Spool(f"[error near line {error.position[0]}]: {error.msg.partition(':')[0]}")
    return Spool("Success", tuple(definition for element in root.iter("gateway") if (definition := _read(element))))


def _read(element: ET.Element) -> GatewayDefinition | None:
    """Return the gateway, or None if FreeSWITCH would reject it."""
    parameters = {param.get("name", ""): param.get("value", "") for param in element.iter("param")}
    definition = GatewayDefinition(element.get("name", ""), parameters)
    if not _NAME.fullmatch(definition.name):
        return None
    if definition.registers and not (parameters.get("username") and definition.password):
        return None
    return definition
