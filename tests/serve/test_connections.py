"""Clients that send or read next to nothing lose their connection; others keep it."""

import asyncio
from contextlib import suppress

import pytest

from modalprism.serve import server
from modalprism.serve.server import ImpatientProtocol


@pytest.fixture
def talk(monkeypatch):
    """Serve an answer of so many bytes, and have a client talk to it."""
    monkeypatch.setattr(server, "CHECK_SECONDS", 0.3)
    import uvicorn

    async def app(scope, receive, send):  # noqa: ARG001
        await asyncio.sleep(1)  # longer than a client may take: it is not the client's turn
        headers = [(b"content-length", str(app.size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * app.size})

    async def run(client, size):
        app.size = size
        config = uvicorn.Config(app, port=0, http=ImpatientProtocol, log_level="error")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(port=port)
        try:
            return await asyncio.wait_for(client(reader, writer), 30)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            server.should_exit = True
            await task

    return lambda client, size=5: asyncio.run(run(client, size))


async def until_closed(reader):
    """Read to the end, whether the connection was closed or reset."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


def test_an_answer_may_take_its_time(talk):
    async def client(reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return await reader.read()

    assert talk(client).endswith(b"xxxxx")


def test_a_client_that_says_nothing_is_left(talk):
    async def client(reader, writer):  # noqa: ARG001
        return await until_closed(reader)

    assert talk(client) == b""


def test_a_head_that_comes_letter_by_letter_is_not_waited_for(talk):
    async def client(reader, writer):
        sent = 0
        for letter in b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 300:
            writer.write(bytes([letter]))
            sent += 1
            await asyncio.sleep(0.05)
            if reader.at_eof() or writer.is_closing():
                break
        return sent

    assert talk(client) < 100


def test_an_answer_that_is_not_read_is_given_up(talk):
    async def client(reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await asyncio.sleep(5)
        return len(await until_closed(reader))

    assert talk(client, 50_000_000) < 50_000_000


def test_an_answer_that_is_read_slowly_comes_whole(talk):
    async def client(reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        size = 0
        while chunk := await reader.read(1_000_000):
            size += len(chunk)
            await asyncio.sleep(0.02)
        return size

    assert talk(client, 20_000_000) > 20_000_000
