"""``wsrelay sign``: what a backend has to sign, and how it looks when it is right."""

from __future__ import annotations

import hmac
import json
import sys
import time

import click

from . import outcome
from .chosen import Chosen, choosing
from .signed import auth_of, channel_text, request_text, target_of, user_text

_AUTH = click.option(
    "--auth",
    metavar="KEY:HEX",
    help="What your backend answers: compare it, exit 1 if it is wrong.",
)
_EXPLAIN = click.option(
    "--explain", is_flag=True, help="Show the text that is signed, on the standard error."
)


@click.group()
def sign() -> None:
    """Make the signatures that a backend makes, or judge one.

    To find out why a backend's are refused: compare what it signs and what it answers.
    """


@sign.command()
@click.argument("socket_id")
@click.argument("channel")
@click.option("--channel-data", metavar="JSON", help="Of a presence channel, byte by byte as sent.")
@_AUTH
@_EXPLAIN
@choosing(app=True)
def channel(
    chosen: Chosen,
    socket_id: str,
    channel: str,
    channel_data: str | None,
    auth: str | None,
    explain: bool,
) -> None:
    """The answer of an authEndpoint: connection SOCKET_ID may subscribe to CHANNEL.

    Exit codes: 0, or 1 when --auth is wrong.
    """
    if channel.startswith("presence-") and channel_data is None:
        raise click.UsageError('a presence channel needs --channel-data \'{"user_id": "7"}\'')
    more = {} if channel_data is None else {"channel_data": channel_data}
    _answer(chosen, channel_text(socket_id, channel, channel_data), more, auth, explain)


@sign.command()
@click.argument("socket_id")
@click.argument("user_data", metavar="USER_DATA")
@_AUTH
@_EXPLAIN
@choosing(app=True)
def user(chosen: Chosen, socket_id: str, user_data: str, auth: str | None, explain: bool) -> None:
    """The answer of a userAuthentication endpoint: SOCKET_ID signs in as USER_DATA (JSON).

    Exit codes: 0, or 1 when --auth is wrong.
    """
    _answer(chosen, user_text(socket_id, user_data), {"user_data": user_data}, auth, explain)


@sign.command()
@click.argument("method", type=click.Choice(["GET", "POST"], case_sensitive=False))
@click.argument("path")
@click.option("--body", default="", help='The body, byte by byte as sent; "-": the standard input.')
@click.option("--query", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option("--timestamp", type=int, help="auth_timestamp, Unix seconds; now if not said.")
@_EXPLAIN
@choosing(app=True)
def request(
    chosen: Chosen,
    method: str,
    path: str,
    body: str,
    query: tuple[str, ...],
    timestamp: int | None,
    explain: bool,
) -> None:
    """The path and query of a signed request to the HTTP API.

    PATH is whole, such as /apps/1001/channels; {app} in it stands for the app's id.
    """
    if not path.startswith("/"):
        raise click.BadParameter("expected a path such as /apps/{app}/channels", param_hint="PATH")
    pairs = [(name, value) for name, _, value in (text.partition("=") for text in query)]
    content = sys.stdin.buffer.read() if body == "-" else body.encode()
    app = chosen.one_app
    path = path.replace("{app}", app.id)
    moment = int(time.time()) if timestamp is None else timestamp
    if explain:
        text, _ = request_text(app, method.upper(), path, content, pairs, moment)
        click.echo(f"signed is:\n{text}", err=True)
    click.echo(target_of(app, method.upper(), path, content, pairs, timestamp=moment))


def _answer(
    chosen: Chosen, text: str, more: dict[str, str], auth: str | None, explain: bool
) -> None:
    right = auth_of(chosen.one_app, text)
    if explain or auth is not None:
        click.echo(f"signed is: {text}", err=True)
    if auth is None:
        click.echo(json.dumps({"auth": right, **more}))
    elif hmac.compare_digest(auth.encode(), right.encode()):
        click.echo("right")
    elif auth.partition(":")[0] != chosen.one_app.key:
        outcome.fail(f"wrong: made with another key than that of app {chosen.one_app.id}")
    else:
        outcome.fail("wrong: made with another secret, or of another text than this one")
