"""The Care360 API over HTTP/2, with the ways to fail that only HTTP/2 has."""

import collections
import socket
import ssl
import threading
import urllib.parse
from typing import Callable, Counter, Dict, NamedTuple, Set

import h2.config
import h2.connection
import h2.errors
import h2.events
from hyperframe.frame import GoAwayFrame

from .requests import case_id
from .tls import Certificate

ANSWER = "answer"
REFUSE = "refuse"    # the stream, which may then be tried again
RESET = "reset"      # the stream, after half of its reply
GO_AWAY = "go away"  # this stream and later ones are not served, and the connection ends
SILENCE = "silence"  # the connection stays, and nothing comes on it ever again
CUT = "cut"          # the connection, without a word


class Asked(NamedTuple):
    """A request, as far as a rule may want to know it."""

    email: str
    connection: int  # from 1
    stream: int  # from 1, of its connection


Rule = Callable[[Asked], str]


class H2Api:
    """Serves until end(). What becomes of each request is up to a rule, which returns one of the words above."""

    def __init__(self, certificate: Certificate, rule: Rule = lambda asked: ANSWER, padding: int = 0) -> None:
        self.rule = rule
        self.padding = padding  # blanks in front of each body
        self.asked: Counter[str] = collections.Counter()  # by e-mail, sends that were read
        self.connections = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._context.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: Set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "H2Api":
        return self

    def __exit__(self, *_) -> None:
        self.end()

    def end(self) -> None:
        for each in [self._listener, *self._open]:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it had ended before
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            threading.Thread(target=self._serve, args=(accepted, self.connections), daemon=True).start()

    def _serve(self, accepted: socket.socket, number: int) -> None:
        try:
            with self._context.wrap_socket(accepted, server_side=True) as stream:
                self._open.add(stream)
                _Connection(self, stream, number).run()
                self._open.discard(stream)
        except OSError:
            pass  # the client left


class _Over(Exception):
    """The connection has ended by rule."""


class _Connection:
    def __init__(self, api: H2Api, stream: ssl.SSLSocket, number: int) -> None:
        self._api = api
        self._stream = stream
        self._number = number
        self._served = 0
        self._silent = False
        self._unsent: Dict[int, bytes] = {}  # by stream id: what flow control held back
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))

    def run(self) -> None:
        self._h2.initiate_connection()
        self._flush()
        try:
            while True:
                data = self._stream.recv(65536)
                if not data:
                    return
                if self._silent:
                    continue
                for event in self._h2.receive_data(data):
                    self._handle(event)
                self._flush()
        except _Over:
            pass

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data:
            self._stream.sendall(data)

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._serve(event)
        elif isinstance(event, h2.events.StreamReset):
            self._unsent.pop(event.stream_id, None)
        elif isinstance(event, h2.events.WindowUpdated):
            for stream_id in [event.stream_id] if event.stream_id else list(self._unsent):
                self._send(stream_id)

    def _serve(self, event: h2.events.RequestReceived) -> None:
        path = next(value for name, value in event.headers if name in (b":path", ":path"))
        path = path.decode() if isinstance(path, bytes) else path
        email = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)["email"][0]
        self._served += 1
        self._api.asked[email] += 1
        if not self._silent:
            self._obey(self._api.rule(Asked(email, self._number, self._served)), email, event.stream_id)

    def _obey(self, word: str, email: str, stream_id: int) -> None:
        if word == REFUSE:
            self._h2.reset_stream(stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
        elif word == GO_AWAY:
            self._flush()
            self._stream.sendall(GoAwayFrame(0, last_stream_id=stream_id - 2).serialize())
            self._stream.shutdown(socket.SHUT_WR)
            self._silent = True  # what is under way already goes unheard
        elif word == CUT:
            raise _Over
        elif word == SILENCE:
            self._silent = True
        else:
            self._answer(word, email, stream_id)

    def _answer(self, word: str, email: str, stream_id: int) -> None:
        case = '{"status": 200, "success": true, "case": {"id": "%s"}}' % case_id(email, None)
        body = b" " * self._api.padding + case.encode()
        self._h2.send_headers(stream_id, [(":status", "200"), ("content-type", "application/json"),
                                          ("content-length", str(len(body)))])
        if word == RESET:
            self._h2.send_data(stream_id, body[:10])
            self._h2.reset_stream(stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
            return
        self._unsent[stream_id] = body
        self._send(stream_id)

    def _send(self, stream_id: int) -> None:
        """As much of a body as flow control allows."""
        body = self._unsent.pop(stream_id, b"")
        while body:
            size = min(self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size, len(body))
            if size <= 0:
                self._unsent[stream_id] = body
                return
            self._h2.send_data(stream_id, body[:size], end_stream=size == len(body))
            body = body[size:]
