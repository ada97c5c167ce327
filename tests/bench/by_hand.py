"""A client as people write it by hand: what the extraction is compared with where requests fail and are retried."""

import asyncio
import random
from contextlib import nullcontext

import aiohttp

#: As of ``http.retry.Limits``: seconds before the first retry, doubled each time, and as much again by chance.
FIRST_WAIT, LAST_WAIT, TRIES = 0.5, 30.0, 8


async def ask_all(url, headers, bodies, in_flight, *, frees_places):
    """Ask everything, so many at a time, each until it is answered; returns how many answers came.

    Most clients keep the place of a request that waits for its retry. Where it ``frees_places``, others go on instead:
    the best that anybody can do.
    """
    places = asyncio.Semaphore(in_flight)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:

        async def ask(body):
            if frees_places:
                return await _retry(session, url, body, places)
            async with places:
                return await _retry(session, url, body, nullcontext())

        return sum(map(bool, await asyncio.gather(*map(ask, bodies))))


async def _retry(session, url, body, places):
    for failed in range(1, TRIES + 1):
        try:
            async with places, session.post(url, json=body) as response:
                page = await response.read()
                response.raise_for_status()
                return page
        except aiohttp.ClientError:
            if failed == TRIES:
                raise
        await asyncio.sleep(min(LAST_WAIT, FIRST_WAIT * 2 ** (failed - 1)) + random.uniform(0, FIRST_WAIT))
    raise AssertionError
