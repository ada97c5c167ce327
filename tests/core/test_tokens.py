"""The life of a connection's token."""

import asyncio

import pytest

from airflow_provider_interactions import contract
from airflow_provider_interactions.contract import Request
from airflow_provider_interactions.errors import AuthRejected
from airflow_provider_interactions.http.tokens import TokenCache, Tokens


async def take(tokens):
    async with tokens.use() as token:
        return token


def test_tokens_are_renewed_before_they_end():
    asked = []

    async def ask():
        asked.append(0)
        return contract.Token(f"token {len(asked)}", 0.1)

    async def use():
        tokens = Tokens(TokenCache(contract.Auth(lambda request, _: request, ask=Request("POST", "http://t/"))), ask)
        first = [await take(tokens) for _ in range(3)]
        await asyncio.sleep(0.095)  # nine tenths of its life
        return [*first, await take(tokens)]

    assert asyncio.run(use()) == ["token 1", "token 1", "token 1", "token 2"]


def test_a_vendor_without_tokens_is_refused_once():
    async def use():
        tokens = Tokens(TokenCache(contract.Auth(lambda request, _: request)), None)
        assert await take(tokens) == ""
        with pytest.raises(AuthRejected):
            tokens.refuse("", AuthRejected("no", status=401))
        with pytest.raises(AuthRejected, match="no"):
            await take(tokens)

    asyncio.run(use())
