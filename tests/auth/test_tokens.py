"""Tokens without a request around them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from jose import jwt

from gateway.auth.tokens import issue_token, token_subject
from gateway.users.roles import Role
from gateway.users.service import Person
from tests.support.factories import make_settings

_SETTINGS = make_settings()
_PERSON = Person("user_1", "Ada", "ada@shop.example", Role.MERCHANT, datetime(2026, 1, 1, tzinfo=UTC))


def test_a_token_leads_back_to_its_person() -> None:
    assert token_subject(_SETTINGS, issue_token(_SETTINGS, _PERSON)) == "user_1"


def test_the_lifetime_is_a_setting() -> None:
    claims = jwt.get_unverified_claims(issue_token(make_settings(jwt_lifetime_seconds=60), _PERSON))
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_of_another_secret_is_none_of_ours() -> None:
    other = make_settings(jwt_secret="another-secret-for-tests-0123456789")
    assert token_subject(_SETTINGS, issue_token(other, _PERSON)) is None


@pytest.mark.parametrize("position", range(0, 200, 7))
def test_a_token_with_any_character_changed_is_refused(position: int) -> None:
    token = issue_token(_SETTINGS, _PERSON)
    changed = "A" if token[position] != "A" else "B"
    assert token_subject(_SETTINGS, token[:position] + changed + token[position + 1 :]) is None


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*"))
@hypothesis_settings(max_examples=200, derandomize=True, deadline=None, database=None)
def test_no_text_crashes_the_check(text: str) -> None:
    assert token_subject(_SETTINGS, text) is None
