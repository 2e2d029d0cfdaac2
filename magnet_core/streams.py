"""Streams of events: merged into one, and held back until another has begun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

T = TypeVar("T")


async def merge(*streams: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Yield the items of all streams as they come.

    The first failure ends everything and is raised; when the consumer stops, all streams are closed before this returns.
    """
    queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    async def pump(stream: AsyncGenerator[T]) -> None:
        try:
            async with aclosing(stream) as items:
                async for item in items:
                    queue.put_nowait(("item", item))
        except Exception as error:
            queue.put_nowait(("error", error))
        else:
            queue.put_nowait(("end", None))

    tasks = [asyncio.create_task(pump(stream)) for stream in streams]
    try:
        running = len(tasks)
        while running:
            kind, value = await queue.get()
            if kind == "item":
                yield value
            elif kind == "error":
                raise value
            else:
                running -= 1
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def opening(stream: AsyncGenerator[T], gate: asyncio.Event, kind: type) -> AsyncGenerator[T]:
    """Yield a stream's items; open the gate at the first item of that kind, or when the stream ends."""
    try:
        async with aclosing(stream) as items:
            async for item in items:
                if isinstance(item, kind):
                    gate.set()
                yield item
    finally:
        gate.set()


async def after(gate: asyncio.Event, stream: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Yield a stream's items when the gate is open; up to its first item the stream makes ready before."""
    async with aclosing(stream) as items:
        ready = await anext(items)
        await gate.wait()
        yield ready
        async for item in items:
            yield item


async def in_a_row(*streams: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Yield the items of one stream after those of the other."""
    for stream in streams:
        async with aclosing(stream) as items:
            async for item in items:
                yield item
