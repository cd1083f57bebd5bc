"""Records to and from OpenSSL by the shortest way, once the handshake is done.

A listener of a hall costs one record each time. pyOpenSSL (26.4) takes twice as long for it as
OpenSSL itself: new buffers of 32 KB, and helpers that are asked again and again. Twisted (26.10)
ends every read by an exception. So what is plain goes to OpenSSL by pyOpenSSL's own bindings; all
that is not (handshakes, what can't be written at once, the end) stays Twisted's, and a property in
the tests holds the two together.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from OpenSSL._util import ffi, lib
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

#: Bytes in one record at the most (RFC 8446, 5.1); what is longer, Twisted cuts up.
LONGEST = 2**14
_SIZE = 2**15

# One for all connections: what is read is copied out before anybody else has a turn.
_buffer = ffi.new("char[]", _SIZE)
_bytes = ffi.buffer(_buffer)

_read, _write, _error = lib.SSL_read, lib.SSL_write, lib.SSL_get_error
_take, _give = lib.BIO_read, lib.BIO_write
_WANT_READ = lib.SSL_ERROR_WANT_READ


class RecordProtocol(TLSMemoryBIOProtocol):
    """Twisted's, quicker."""

    # As Twisted's classes name them.
    _handshakeDone: bool
    _lostTLSConnection: bool
    _appSendBuffer: list[bytes]
    _aborted: bool
    _tlsConnection: Any
    disconnecting: bool
    transport: Any

    def write(self, data: bytes) -> None:
        size = len(data)
        if (
            not 0 < size <= LONGEST
            or not self._handshakeDone
            or self._lostTLSConnection
            or self.disconnecting
            or self._appSendBuffer
        ):
            super().write(data)
            return
        connection = self._tlsConnection
        if _write(connection._ssl, data, size) != size:  # a buffer in memory takes all or nothing
            lib.ERR_clear_error()
            super().write(data)
            return
        self.transport.write(_bytes[: _take(connection._from_ssl, _buffer, _SIZE)])

    def dataReceived(self, data: bytes) -> None:
        if not self._handshakeDone or self._lostTLSConnection or self._appSendBuffer:
            super().dataReceived(data)
            return
        connection = self._tlsConnection
        ssl = connection._ssl
        _give(connection._into_ssl, data, len(data))
        while not self._lostTLSConnection:
            length = _read(ssl, _buffer, _SIZE)
            if length > 0:
                if not self._aborted:
                    ProtocolWrapper.dataReceived(self, _bytes[:length])
            elif _error(ssl, length) == _WANT_READ:
                break
            else:
                self._end(connection, length)
        length = _take(connection._from_ssl, _buffer, _SIZE)
        if length > 0:  # an answer of TLS itself, such as new keys
            self.transport.write(_bytes[:length])

    def _end(self, connection: Any, result: int) -> None:
        """No more will come: the client has said goodbye, or what came is no TLS."""
        try:
            connection._raise_ssl_error(connection._ssl, result)
        except SSL.ZeroReturnError:
            self._shutdownTLS()
            self._tlsShutdownFinished(None)
        except SSL.Error:
            self._tlsShutdownFinished(Failure())
