"""Who shares an answer, and which answers are never made."""

import asyncio
import threading

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from modalprism.serve.answers import Answers


def request(path, client):
    """Return a request whose client is gone once the event `client` is set."""

    async def receive():
        await client.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": b"",
        "headers": [(b"host", b"localhost")], "scheme": "http", "server": ("localhost", 80),
    }  # fmt: skip
    return Request(scope, receive)


class Kitchen:
    """A view that notes what it is asked, and answers once the door is open."""

    def __init__(self):
        self.made, self.door = [], threading.Event()

    def __call__(self, asked):
        self.made.append(asked.url.path)
        assert self.door.wait(30)
        if asked.url.path == "/bad":
            raise ValueError("no such thing")
        return PlainTextResponse(str(len(self.made)))


async def in_line(kitchen, endpoint, paths):
    """Have one answer in the making, and tasks that wait behind it; with their clients."""
    clients = [asyncio.Event() for _ in paths]
    tasks = []
    for path, client in zip(paths, clients, strict=True):
        tasks.append(asyncio.create_task(endpoint(request(path, client))))
        while not kitchen.made:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    return tasks, clients


def test_those_who_wait_together_share_an_answer_made_after_they_came():
    async def run():
        kitchen = Kitchen()
        tasks, _ = await in_line(kitchen, Answers(1).by(kitchen), ["/a", "/a", "/a", "/b"])
        kitchen.door.set()
        return kitchen.made, [(await task).body for task in tasks]

    made, bodies = asyncio.run(run())
    assert made == ["/a", "/a", "/b"]  # the first was begun before the second came
    assert bodies == [b"1", b"2", b"2", b"3"]


def test_what_nobody_waits_for_is_not_made():
    async def run():
        kitchen = Kitchen()
        tasks, clients = await in_line(kitchen, Answers(1).by(kitchen), ["/a", "/b", "/c", "/c"])
        clients[1].set()
        clients[2].set()
        gone = [(await tasks[1]).status_code, (await tasks[2]).status_code]
        kitchen.door.set()
        return gone, kitchen.made, (await tasks[3]).status_code

    gone, made, kept = asyncio.run(run())
    assert gone == [499, 499]
    assert made == ["/a", "/c"]
    assert kept == 200


def test_an_error_reaches_everybody_who_waits():
    async def run():
        kitchen = Kitchen()
        tasks, _ = await in_line(kitchen, Answers(1).by(kitchen), ["/a", "/bad", "/bad"])
        kitchen.door.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(run())
    assert [str(error) for error in answers[1:]] == ["no such thing"] * 2


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_answers_are_made_at_once_than_allowed(at_once):
    async def run():
        kitchen = Kitchen()
        tasks, _ = await in_line(
            kitchen, Answers(at_once).by(kitchen), [f"/{number}" for number in range(8)]
        )
        begun = len(kitchen.made)
        kitchen.door.set()
        await asyncio.gather(*tasks)
        return begun, len(kitchen.made)

    assert asyncio.run(run()) == (at_once, 8)
