"""``sipbridge run``: the daemon."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from sipbridge.adapters.control.control_socket import ControlError
from sipbridge.adapters.observe.http_server import HttpServerError
from sipbridge.adapters.observe.log_output import LogOutput
from sipbridge.cli.common import Failed, config_or_exit, print_diagnostic, settings_from, settings_option
from sipbridge.config.secrets_in_use import secrets_of_settings
from sipbridge.daemon.app import App
from sipbridge.ports import SwitchTaken
from sipbridge.settings.providers import load_providers_with

_log = logging.getLogger(__name__)


@click.command()
@settings_option
@click.option("--take-over", is_flag=True, help="Put out another controller of the same FreeSWITCH, which then stops.")
def run(settings_file: Path | None, *, take_over: bool) -> None:
    """Run the bridge, until SIGTERM.

    SIGHUP reads the providers file again, as `sipbridge reload` does. SIGTERM and SIGINT refuse new calls, wait for
    those in progress (drain_timeout_s), unregister accounts and end; a second one cuts the wait short.

    One FreeSWITCH has one controller. While another one lives, this one ends with status 1.
    """
    settings = settings_from(settings_file, for_run=True)
    for warning in settings.warnings:
        print_diagnostic(warning)
    if settings.providers_file is None:
        raise AssertionError("settings for run without a providers file")
    config = config_or_exit(load_providers_with(settings, settings.providers_file))
    log = LogOutput(settings.logging.level.name, settings.logging.as_json, secrets_of_settings(settings))
    log.start()
    try:
        App(settings, config, log=log, takes_over=take_over).run()
    except (ControlError, HttpServerError, SwitchTaken, OSError) as error:
        raise Failed(f"sipbridge: error: {error}") from error
    except Exception:  # noqa: BLE001 - Python's own traceback would bypass the filter for secrets
        _log.critical("stopped by an internal error", exc_info=True)
        sys.exit(1)
    finally:
        log.stop()
