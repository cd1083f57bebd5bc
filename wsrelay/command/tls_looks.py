"""What can be found about TLS: in the files, and in what is really shown."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from cryptography import x509

from ..config.settings import tls_listeners
from ..tls.pair import Pair, Unusable, read_pair
from .chosen import Chosen
from .findings import Finding, fault, good, skipped, warning
from .place import Place, Unreachable
from .probing import Probed

DAY = 24 * 60 * 60
#: Days before its end from which on a certificate is worth a warning.
SOON = 14


def at_certificates(chosen: Chosen) -> Iterator[Finding]:
    """The files of all listeners."""
    for files in {files for each in tls_listeners(chosen.settings) for files in each.certificates}:
        try:
            pair = read_pair(files)
        except Unusable as error:
            yield fault("TLS files", str(error), "mend the file; the relay keeps what it had")
            continue
        yield _of_dates("TLS files", files.cert, pair.leaf)
        if pair.is_key_open_to_all:
            yield warning(
                "TLS files",
                f"any user of this machine can read {files.key}",
                f"chmod o-r {files.key}",
            )


def _of_dates(check: str, what: str, leaf: x509.Certificate) -> Finding:
    ends = leaf.not_valid_after_utc
    days = (ends.timestamp() - time.time()) / DAY
    until = f"{ends:%Y-%m-%d %H:%M} UTC"
    renew = "renew it, and see why that did not happen by itself: certbot renew --dry-run"
    if days < 0:
        return fault(check, f"{what} expired on {until}: clients refuse it", renew)
    if leaf.not_valid_before_utc > datetime.now(UTC):
        return fault(
            check,
            f"{what} is not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            "is the clock right? timedatectl",
        )
    if days < SOON:
        return warning(check, f"{what} expires on {until}, in {days:.0f} days", renew)
    return good(check, f"{what} is good until {until}")


def at_served_certificates(chosen: Chosen, probed: Probed) -> Iterator[Finding]:
    """What each TLS door shows, whether that is what the files hold, and whether it is trusted."""
    pairs = [] if chosen.url is not None else _pairs(chosen)
    for place in probed.places:
        if not place.is_tls:
            continue
        name = place.server_name or next((_name_of(pair) for pair in pairs), "")
        try:
            shown = _shown(place, name)
        except Unreachable as error:
            yield fault("TLS", str(error), "look into the relay's log")
            continue
        yield _of_dates("TLS", f"the certificate that {place} shows", shown)
        if pairs and shown not in [pair.leaf for pair in pairs]:
            yield warning(
                "TLS",
                f"{place} shows another certificate than the files hold",
                "reload the relay (SIGHUP), and see in its log why it did not take the new one up",
            )
        yield _of_trust(place, name)


def _pairs(chosen: Chosen) -> Sequence[Pair]:
    pairs = []
    for listener in tls_listeners(chosen.settings):
        for files in listener.certificates:
            try:
                pairs.append(read_pair(files))
            except Unusable:  # told by at_certificates
                continue
    return pairs


def _name_of(pair: Pair) -> str:
    return next((name for name in pair.names if not name.startswith("*.")), "")


def _shown(place: Place, name: str) -> x509.Certificate:
    """The certificate as it is shown, whether or not anybody trusts it. Raises ``Unreachable``."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = place.connect()
    try:
        with context.wrap_socket(plain, server_hostname=name or place.host) as tls:
            der = tls.getpeercert(binary_form=True)
    except OSError as error:
        raise Unreachable(f"{place}: TLS: {error}") from error
    finally:
        plain.close()
    assert der is not None
    return x509.load_der_x509_certificate(der)


def _of_trust(place: Place, name: str) -> Finding:
    if not name:
        return skipped("TLS", f"{place}: its certificate is for no name that could be asked for")
    context = replace(place, server_name=name).context
    assert context is not None
    plain = place.connect()
    try:
        with plain, context.wrap_socket(plain, server_hostname=name):
            return good("TLS", f"{place} shows a chain that this machine trusts, for {name}")
    except ssl.SSLCertVerificationError as error:
        return warning(
            "TLS",
            f"{place} shows a certificate for {name} that this machine does not trust: "
            f"{error.verify_message}",
            "clients need the whole chain: fullchain.pem and not cert.pem. If the authority is "
            "your own, name it with --ca FILE",
        )
    except OSError as error:
        return fault("TLS", f"{place}: {error}", "look into the relay's log")
