# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a client sees of a llama-server: whether it is ready, whether it answers, whether it asks for a key."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import typing as t

# The addresses that a server listens on to be reached at any; a client on the host reaches it on the loopback.
_ANY = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}
_LOOK_SECONDS = 5.0
_LIMIT_BYTES = 1 << 22

# What shows that a model computes: path, question, and the key of the answer that has to hold something
QUESTIONS: dict[str, tuple[str, dict[str, t.Any], str]] = {
    "completion": ("/completion", {"prompt": "Hello", "n_predict": 4, "cache_prompt": False}, "tokens_predicted"),
    "embedding": ("/v1/embeddings", {"input": "Hello"}, "data"),
    "rerank": ("/v1/rerank", {"query": "Hello", "documents": ["Hello"]}, "results"),
}


class NoAnswer(Exception):
    """The server does not answer as it should; the text is a predicate such as "answers 401"."""


class Address(t.NamedTuple):
    """Where a server listens: a host and a port, or the path of a socket."""

    host: str
    port: int
    prefix: str = ""
    tls: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host

    @property
    def url(self) -> str:
        """The URL of the server for a client on its host."""
        host = _ANY.get(self.host, self.host)
        return f"http{'s' if self.tls else ''}://{f'[{host}]' if ':' in host else host}:{self.port}{self.prefix}"

    def connection(self, seconds: float) -> http.client.HTTPConnection:
        """Return a connection that is not open yet."""
        if self.host.endswith(".sock"):
            return _SocketConnection(self.host, seconds)
        host = _ANY.get(self.host, self.host)
        if self.tls:
            # Of the host itself: what its certificate says would not name the loopback anyway
            context = ssl._create_unverified_context()
            return http.client.HTTPSConnection(host, self.port, timeout=seconds, context=context)
        return http.client.HTTPConnection(host, self.port, timeout=seconds)


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def is_ready(address: Address) -> bool:
    """Say whether the model is loaded; /health answers without a key."""
    try:
        return ask(address, "GET", "/health", None, None, _LOOK_SECONDS)[0] == 200
    except NoAnswer:
        return False


def answers(address: Address, question: str, key: str | None, seconds: float, model: str | None = None) -> None:
    """Let a model compute a few tokens; `model` is its name where there are several.

    :raises NoAnswer: it does not.
    """
    path, body, wanted = QUESTIONS[question]
    status, _text, answer = ask(address, "POST", path, {**body, "model": model} if model else body, key, seconds)
    of = f" for {model}" if model else ""
    if status != 200:
        raise NoAnswer(f"answers {status} to {path}{of}")
    if not (isinstance(answer, dict) and answer.get(wanted)):
        raise NoAnswer(f"answers {path}{of} without {wanted}")


def loading(address: Address, models: t.Sequence[str], key: str | None) -> list[str]:
    """Return those models of a router that are not loaded yet.

    :raises NoAnswer: one of them cannot be, or is not there.
    """
    _status, _text, answer = ask(address, "GET", "/v1/models", None, key, _LOOK_SECONDS)
    listed = answer.get("data") if isinstance(answer, dict) else None
    states = {each["id"]: each.get("status") or {} for each in listed or [] if isinstance(each, dict) and "id" in each}
    for name in models:
        if name not in states or states[name].get("failed"):
            raise NoAnswer(f"has not loaded {name}")
    return [name for name in models if states[name].get("value") != "loaded"]


def asks_for_key(address: Address) -> bool:
    """Say whether a request without a key is turned away."""
    return ask(address, "GET", "/v1/models", None, None, _LOOK_SECONDS)[0] == 401


def is_taken(address: Address) -> bool:
    """Say whether something accepts connections there."""
    try:
        socket.create_connection((_ANY.get(address.host, address.host), address.port), _LOOK_SECONDS).close()
    except OSError:
        return False
    return True


def ask(
    address: Address, method: str, path: str, body: t.Any, key: str | None, seconds: float
) -> tuple[int, str, t.Any]:
    """Return status and text of an answer, and the JSON that it is, None where it is none.

    :raises NoAnswer: nothing came that HTTP would call an answer.
    """
    connection = address.connection(seconds)
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    try:
        connection.request(method, address.prefix + path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read(_LIMIT_BYTES).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as problem:
        raise NoAnswer(f"does not answer {path}: {problem or type(problem).__name__}") from problem
    finally:
        connection.close()
    try:
        return answer.status, text, json.loads(text)
    except ValueError:
        return answer.status, text, None
