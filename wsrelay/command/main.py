"""The entry point: the subcommands, and what ends in which exit code."""

from __future__ import annotations

import sys

import click

from .. import __version__
from . import outcome
from .configured import config
from .doctor import doctor
from .listen import listen
from .screen import on_one_line
from .sign import sign
from .status import status
from .trigger import trigger

HELP = f"""\
Look at a wsrelay, ask it, and debug its backends. The relay itself is started by
`twistd wsrelay` or `twist wsrelay`.

The app, its secret and the port come from where the relay has them: from the environment
(PUSHER_APP_ID, WSRELAY_PORT ...), the Laravel .env that --laravel-env or WSRELAY_LARAVEL_ENV names,
and the TOML file that --config or WSRELAY_CONFIG names; without any, it is the development app on
port 6001 of this machine. Secrets are never shown.

\b
Examples:
  wsrelay status
  wsrelay doctor --config /etc/wsrelay.toml
  wsrelay listen --laravel-env /var/www/office/.env private-orders.7
  wsrelay trigger --url https://relay.example orders shipped '{{"id": 7}}'
  wsrelay sign channel 1234.5678 private-orders.7

{outcome.TABLE}
\b
Completion by Tab in bash (zsh and fish likewise), in ~/.bashrc:
  eval "$(_WSRELAY_COMPLETE=bash_source wsrelay)"
"""


@click.group(
    help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, "-V", "--version", message="%(version)s")
def wsrelay() -> None:
    """The group; its help is ``HELP``."""


for command in (status, doctor, trigger, listen, sign, config):
    wsrelay.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line, and exit with one of the codes of ``outcome``."""
    try:
        code = wsrelay.main(arguments, prog_name="wsrelay", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        code = outcome.USAGE
    except outcome.Failed as failed:
        click.echo(f"wsrelay: {on_one_line(str(failed))}", err=True)
        code = failed.code
    except (click.Abort, KeyboardInterrupt):
        code = outcome.OK
    except BrokenPipeError:  # `wsrelay listen ... | head -1`
        sys.stderr.close()
        code = outcome.OK
    sys.exit(code or outcome.OK)
