"""The manuals of all commands, by name, in the order of a day's work. Pure text."""

from __future__ import annotations

from collections.abc import Mapping

from sipbridge.cli.manual import EXIT_STATUSES, SETTINGS_ENVIRONMENT, SETTINGS_FILES, Manual

_PROVIDERS = "/etc/sipbridge/providers.json"
_CONTROL_SOCKET = (("/run/sipbridge/control.sock", "How the daemon is reached (socket in [control])."),)
_ASKS_DAEMON = (*SETTINGS_FILES, *_CONTROL_SOCKET)

SIPBRIDGE = Manual(
    summary="bridge SIP calls to other domains and providers, on FreeSWITCH",
    examples=(
        ("See calls carried, with nothing installed", "sipbridge demo"),
        ("Check the providers file that you have", f"sipbridge check {_PROVIDERS}"),
        ("Run the bridge beside FreeSWITCH", "sipbridge run"),
        ("Find out what does not work, and what to do about it", "sipbridge doctor"),
    ),
    files=(
        *SETTINGS_FILES,
        (_PROVIDERS, "The providers file, as the Flexisip B2BUA reads it (providers_file)."),
        ("/usr/share/sipbridge/freeswitch", "A complete configuration for FreeSWITCH, in the Debian package."),
        *_CONTROL_SOCKET,
    ),
    see_also=("sipbridge.toml(5)", "freeswitch(1)"),
)

MANUALS: Mapping[str, Manual] = {
    "check": Manual(
        summary="Check providers files: every error with its place.",
        examples=(
            ("Check a file before it is used", "sipbridge check ./providers.json"),
            ("Check the settings and the providers file that are in use", "sipbridge check"),
            ("Read the databases in it too", f"sipbridge check --connect {_PROVIDERS}"),
            ("Count the errors, for a pipeline", f"sipbridge check --json {_PROVIDERS} | jq length"),
        ),
        exit_statuses=(
            ("0", "Every file can be used; there may be warnings."),
            ("1", "A file has errors, or a database cannot be read."),
            ("2", "The command line is wrong."),
        ),
        see_also=("sipbridge-explain(1)", "sipbridge-reload(1)"),
    ),
    "explain": Manual(
        summary="Tell what would become of a call, and why.",
        examples=(
            (
                "A call to a phone number",
                f"sipbridge explain {_PROVIDERS} --request-uri sip:+33612345678@example.org "
                "--from sip:alice@example.org --to sip:+33612345678@example.org",
            ),
        ),
        exit_statuses=(
            ("0", "It is told, whether the call would be bridged or declined."),
            ("1", "The file has errors."),
            ("2", "The command line is wrong."),
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
            ("0", "It was told to stop, and has."),
            ("1", "It cannot start, or had to stop. Standard error says why."),
            ("2", "The command line is wrong."),
        ),
        files=(
            *_ASKS_DAEMON,
            ("/run/sipbridge-spool/gateways.xml", "How FreeSWITCH gets new gateways (spool_file in [gateways])."),
        ),
        environment=(
            *SETTINGS_ENVIRONMENT,
            ("NOTIFY_SOCKET, WATCHDOG_USEC", "Set by systemd, which is told of readiness, state and health."),
        ),
        see_also=("sipbridge-doctor(1)", "sipbridge-reload(1)", "sipbridge.toml(5)"),
    ),
    "doctor": Manual(
        summary="Find out what does not work, and what to do about it.",
        examples=(
            ("Look at everything but the databases", "sipbridge doctor"),
            ("Look at the databases too, and at the proxies in them", "sipbridge doctor --connect"),
            ("Only what is not as it should be", "sipbridge doctor --quiet"),
            ("What failed, for a script", "sipbridge doctor --json | jq -r '.[] | select(.verdict == \"fail\") | .id'"),
        ),
        exit_statuses=(
            ("0", "Nothing failed; there may be something to look at."),
            ("1", "Something failed, or the settings cannot be used."),
            ("2", "The command line is wrong."),
        ),
        files=_ASKS_DAEMON,
        see_also=("sipbridge-check(1)", "sipbridge-status(1)"),
    ),
    "status": Manual(
        summary="Show how the running bridge is doing.",
        examples=(
            ("Now", "sipbridge status"),
            ("All the while", "sipbridge status --watch"),
            ("Accounts that cannot register, of one pool", "sipbridge status --failed --pool JabiruAccountPool"),
            ("For a script", "sipbridge status --json | jq .switch"),
        ),
        exit_statuses=(
            ("0", "It is told, whether all is well or not."),
            ("1", "No bridge answers."),
            ("2", "The command line is wrong."),
        ),
        files=_ASKS_DAEMON,
        see_also=("sipbridge-calls(1)", "sipbridge-info(1)", "sipbridge-doctor(1)"),
    ),
    "calls": Manual(
        summary="Show the calls in progress, or each as it is decided.",
        examples=(
            ("Who is calling whom", "sipbridge calls"),
            ("What becomes of each call, and why", "sipbridge calls --follow"),
            ("What goes wrong for one caller", "sipbridge calls --follow --declined --match alice@example.org"),
            ("Declined calls, for a script", "sipbridge calls --follow --declined --json | jq -r .reason"),
        ),
        exit_statuses=(
            ("0", "It is told; or Ctrl-C has ended it."),
            ("1", "No bridge answers, or it has stopped."),
            ("2", "The command line is wrong."),
        ),
        files=_ASKS_DAEMON,
        see_also=("sipbridge-status(1)", "sipbridge-explain(1)"),
    ),
    "info": Manual(
        summary="Print every provider and its accounts, as JSON.",
        examples=(
            ("The state that the reference prints", "sipbridge info"),
            (
                "Accounts that cannot be used",
                "sipbridge info | jq '.providers[].accounts[] | select(.status != \"OK\")'",
            ),
        ),
        files=_ASKS_DAEMON,
        see_also=("sipbridge-status(1)",),
    ),
    "reload": Manual(
        summary="Use the providers file as it is now.",
        examples=(
            ("See what would change", "sipbridge reload --dry-run"),
            ("Change it", "sipbridge reload"),
        ),
        exit_statuses=(
            ("0", "The file is in use, or would be."),
            ("1", "The file has errors, and what was in use stays in use; or no bridge runs."),
            ("2", "The command line is wrong."),
        ),
        files=(*_ASKS_DAEMON, (_PROVIDERS, "The providers file (providers_file).")),
        see_also=("sipbridge-check(1)", "sipbridge-drain(1)"),
    ),
    "drain": Manual(
        summary="Take no new calls; those in progress go on.",
        examples=(
            ("Before FreeSWITCH is stopped", "sipbridge drain"),
            ("One provider has a problem", "sipbridge drain --provider 'Example provider 1'"),
            ("It is solved", "sipbridge drain --provider 'Example provider 1' --undo"),
        ),
        files=_ASKS_DAEMON,
        see_also=("sipbridge-reload(1)", "sipbridge-status(1)"),
    ),
    "demo": Manual(
        summary="Carry calls through a simulated FreeSWITCH.",
        examples=(
            ("Some calls", "sipbridge demo"),
            ("Many, quickly", "sipbridge demo --calls 5000 --rate 500"),
        ),
        exit_statuses=(
            ("0", "Every call ended as it should."),
            ("1", "One did not."),
            ("2", "The command line is wrong."),
        ),
        files=(),
        environment=(),
    ),
    "completion": Manual(
        summary="Print what makes a shell complete commands and options.",
        examples=(
            ("bash, for everybody", "sipbridge completion bash > /usr/share/bash-completion/completions/sipbridge"),
            ("zsh, in a folder of $fpath", "sipbridge completion zsh > ~/.zfunc/_sipbridge"),
            ("fish", "sipbridge completion fish > ~/.config/fish/completions/sipbridge.fish"),
        ),
        exit_statuses=EXIT_STATUSES[::2],
        files=(),
        environment=(),
    ),
}
