"""Registration when two want the same e-mail at the same moment."""

import asyncio

import httpx
import pytest

from gateway.api_keys.documents import ApiKey
from gateway.config import Settings
from gateway.users import service
from gateway.users.documents import User
from gateway.users.roles import Role
from tests.support.factories import API, PASSWORD


async def test_of_many_at_once_one_gets_the_email_and_no_key_is_left_over(client: httpx.AsyncClient) -> None:
    people, keys = await User.count(), await ApiKey.count()
    body = {"name": "Ada", "email": "ada@shop.example", "password": PASSWORD}
    emails = ("ada@shop.example", "ADA@shop.example")
    answers = await asyncio.gather(
        *(
            client.post(f"{API}/users/register", json={**body, "email": emails[number % 2]})
            for number in range(8)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 7
    assert await User.count() == people + 1
    assert await ApiKey.count() == keys + 1


async def test_the_first_system_admin_is_made_once(client: httpx.AsyncClient, settings: Settings) -> None:
    assert await service.ensure_system_admin(settings) is None
    assert await User.find({"role": Role.SYSTEM_ADMIN}).count() == 1
    [root] = await User.find({"role": Role.SYSTEM_ADMIN}).to_list()
    assert root.email == settings.admin_email


async def test_a_made_up_admin_password_is_told_once_and_works(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    await User.find({"role": Role.SYSTEM_ADMIN}).delete()
    without = settings.model_copy(update={"admin_password": type(settings.admin_password)("")})
    password = await service.ensure_system_admin(without)
    assert password
    person = await service.authenticate(settings, settings.admin_email, password)
    assert person.role is Role.SYSTEM_ADMIN
    assert await service.ensure_system_admin(without) is None


@pytest.mark.parametrize("role", ["admin", "system_admin"])
async def test_nobody_signs_up_as_an_admin(client: httpx.AsyncClient, role: str) -> None:
    before = await User.count()
    body = {"name": "Eve", "email": "eve@shop.example", "password": PASSWORD, "role": role}
    assert (await client.post(f"{API}/users/register", json=body)).status_code == 422
    assert await User.count() == before
