"""The manuals of all commands, by name, in the order an operator meets them. Pure text."""

from __future__ import annotations

from collections.abc import Mapping

from sipbridge.cli.manual import EXIT_STATUSES, SETTINGS_ENVIRONMENT, SETTINGS_FILES, Manual

_PROVIDERS = "/etc/sipbridge/providers.json"
_CONTROL_SOCKET = (("/run/sipbridge/control.sock", "The daemon's control socket (socket in [control])."),)
_ASKS_DAEMON = (*SETTINGS_FILES, *_CONTROL_SOCKET)

SIPBRIDGE = Manual(
    summary="bridge SIP calls to other domains and providers with FreeSWITCH",
    examples=(
        ("Watch calls without installing FreeSWITCH", "sipbridge demo"),
        ("Check your providers file", f"sipbridge check {_PROVIDERS}"),
        ("Run the bridge beside FreeSWITCH", "sipbridge run"),
        ("Find out what is broken, and how to fix it", "sipbridge doctor"),
    ),
    files=(
        *SETTINGS_FILES,
        (_PROVIDERS, "The providers file, in the format of the Flexisip B2BUA (providers_file)."),
        ("/usr/share/sipbridge/freeswitch", "A complete FreeSWITCH configuration, from the Debian package."),
        *_CONTROL_SOCKET,
    ),
    see_also=("sipbridge.toml(5)", "freeswitch(1)"),
)

MANUALS: Mapping[str, Manual] = {
    "check": Manual(
        summary="Check providers files, and show the position of every error.",
        examples=(
            ("Check a file before using it", "sipbridge check ./providers.json"),
            ("Check the settings and the providers file in use", "sipbridge check"),
            ("Read the databases that the file names too", f"sipbridge check --connect {_PROVIDERS}"),
            ("Count errors and warnings, in a pipeline", f"sipbridge check --json {_PROVIDERS} | jq length"),
        ),
        exit_statuses=(
            ("0", "Every file is valid; there may be warnings."),
            ("1", "A file has errors, or a database cannot be read."),
            ("2", "Invalid command line."),
        ),
        see_also=("sipbridge-explain(1)", "sipbridge-reload(1)"),
    ),
    "explain": Manual(
        summary="Show how a call would be routed, and why.",
        examples=(
            (
                "A call to a phone number, decided by the running bridge",
                "sipbridge explain --request-uri sip:+33612345678@example.org "
                "--from sip:alice@example.org --to sip:+33612345678@example.org",
            ),
            (
                "A provider's call to an account, by a file and its databases",
                f"sipbridge explain {_PROVIDERS} --connect --side providers --request-uri sip:alice@192.0.2.1 "
                "--from sip:bob@example.com --to sip:alice@provider.example.com",
            ),
        ),
        exit_statuses=(
            ("0", "The decision was shown, whether the call would be bridged or declined."),
            ("1", "The file has errors, a database does not answer, or no bridge is running."),
            ("2", "Invalid command line."),
            ("3", "The decision depends on something that was not looked up; the answer says on what."),
        ),
        see_also=("sipbridge-check(1)",),
    ),
    "run": Manual(
        summary="Run the bridge.",
        examples=(
            ("As a service", "systemctl enable --now sipbridge"),
            ("By hand, with other settings", "sipbridge run --settings ./sipbridge.toml"),
        ),
        exit_statuses=(
            ("0", "Stopped on request."),
            ("1", "The daemon could not start, or had to stop. Standard error says why."),
            ("2", "Invalid command line."),
        ),
        files=(
            *_ASKS_DAEMON,
            ("/run/sipbridge-spool/gateways.xml", "Passes new gateways to FreeSWITCH (spool_file in [gateways])."),
        ),
        environment=(
            *SETTINGS_ENVIRONMENT,
            ("NOTIFY_SOCKET, WATCHDOG_USEC", "Set by systemd; the daemon reports readiness, state and health."),
        ),
        see_also=("sipbridge-doctor(1)", "sipbridge-reload(1)", "sipbridge.toml(5)"),
    ),
    "doctor": Manual(
        summary="Find out what is broken, and how to fix it.",
        examples=(
            ("Check everything except the databases", "sipbridge doctor"),
            ("Check the databases and the proxies in them too", "sipbridge doctor --connect"),
            ("Show only the checks that did not pass", "sipbridge doctor --quiet"),
            (
                "List failed checks, for a script",
                "sipbridge doctor --json | jq -r '.[] | select(.verdict == \"fail\") | .id'",
            ),
        ),
        exit_statuses=(
            ("0", "No check failed; there may be warnings."),
            ("1", "A check failed, or the settings are invalid."),
            ("2", "Invalid command line."),
        ),
        files=_ASKS_DAEMON,
        see_also=("sipbridge-check(1)", "sipbridge-status(1)"),
    ),
    "status": Manual(
        summary="Show the state of the running bridge, and its problems.",
        examples=(
            ("Once", "sipbridge status"),
            ("Continuously", "sipbridge status --watch"),
            ("Accounts of one pool that cannot register", "sipbridge status --failed --pool JabiruAccountPool"),
            ("For a script", "sipbridge status --json | jq .switch"),
        ),
        exit_statuses=(
            ("0", "The state was shown, whether or not there are problems."),
            ("1", "No daemon answers."),
            ("2", "Invalid command line."),
        ),
        files=_ASKS_DAEMON,
        see_also=("sipbridge-calls(1)", "sipbridge-info(1)", "sipbridge-doctor(1)"),
    ),
    "calls": Manual(
        summary="Show calls in progress, or follow decisions as they are made.",
        examples=(
            ("Calls in progress", "sipbridge calls"),
            ("Each decision, and why", "sipbridge calls --follow"),
            (
                "Declined and failed calls of one caller",
                "sipbridge calls --follow --declined --match alice@example.org",
            ),
            ("Declined calls, for a script", "sipbridge calls --follow --declined --json | jq -r .reason"),
        ),
        exit_statuses=(
            ("0", "The calls were shown, or Ctrl-C ended the command."),
            ("1", "No daemon answers, or it has stopped."),
            ("2", "Invalid command line."),
        ),
        files=_ASKS_DAEMON,
        see_also=("sipbridge-status(1)", "sipbridge-explain(1)"),
    ),
    "info": Manual(
        summary="Print every provider and its accounts, as JSON.",
        examples=(
            ("The state, in the Flexisip B2BUA's format", "sipbridge info"),
            (
                "Accounts that cannot be used",
                "sipbridge info | jq '.providers[].accounts[] | select(.status != \"OK\")'",
            ),
        ),
        files=_ASKS_DAEMON,
        see_also=("sipbridge-status(1)",),
    ),
    "reload": Manual(
        summary="Read the providers file again and apply the changes.",
        examples=(
            ("Show what would change", "sipbridge reload --dry-run"),
            ("Apply the changes", "sipbridge reload"),
        ),
        exit_statuses=(
            ("0", "The file is in use or, with --dry-run, could be."),
            ("1", "Nothing was applied: the file has errors, a database does not answer, or no daemon is running."),
            ("2", "Invalid command line."),
        ),
        files=(*_ASKS_DAEMON, (_PROVIDERS, "The providers file (providers_file).")),
        see_also=("sipbridge-check(1)", "sipbridge-drain(1)"),
    ),
    "drain": Manual(
        summary="Accept no new calls; calls in progress continue.",
        examples=(
            ("Before stopping FreeSWITCH", "sipbridge drain"),
            ("Stop using one provider", "sipbridge drain --provider 'Example provider 1'"),
            ("Use it again", "sipbridge drain --provider 'Example provider 1' --undo"),
        ),
        files=_ASKS_DAEMON,
        see_also=("sipbridge-reload(1)", "sipbridge-status(1)"),
    ),
    "demo": Manual(
        summary="Place calls through a simulated FreeSWITCH.",
        examples=(
            ("A few calls", "sipbridge demo"),
            ("Many calls, quickly", "sipbridge demo --calls 5000 --rate 500"),
        ),
        exit_statuses=(
            ("0", "Every call ended as expected."),
            ("1", "At least one call did not."),
            ("2", "Invalid command line."),
        ),
        files=(),
        environment=(),
    ),
    "completion": Manual(
        summary="Print the script for shell completion.",
        examples=(
            ("bash, for all users", "sipbridge completion bash > /usr/share/bash-completion/completions/sipbridge"),
            ("zsh, in a folder of $fpath", "sipbridge completion zsh > ~/.zfunc/_sipbridge"),
            ("fish", "sipbridge completion fish > ~/.config/fish/completions/sipbridge.fish"),
        ),
        exit_statuses=EXIT_STATUSES[::2],
        files=(),
        environment=(),
    ),
}
