"""Secrets at rest: readable with their own key alone, and never by accident."""

import pytest
from hypothesis import given, strategies as st

from gateway.kit.secretbox import SecretBox

ROOT_KEY = "root-key-0123456789-0123456789-ab"
box = SecretBox(ROOT_KEY)
secrets = st.text(st.characters(exclude_categories=["Cs"]))


@given(secrets)
def test_what_is_sealed_can_be_opened(secret: str) -> None:
    assert SecretBox(ROOT_KEY).open(box.seal(secret)) == secret


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    assert len({box.seal("SK_1") for _ in range(100)}) == 100


@given(st.binary(min_size=4).map(bytes.hex))
def test_a_sealed_secret_does_not_show_it(secret: str) -> None:
    assert secret.encode() not in box.seal(secret)


@given(secrets, st.data())
def test_any_changed_bit_is_noticed(secret: str, data: st.DataObject) -> None:
    sealed = bytearray(box.seal(secret))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ValueError, match="ENCRYPTION_KEY"):
        box.open(bytes(sealed))


@given(secrets, st.integers(0, 60))
def test_a_cut_off_secret_is_noticed(secret: str, length: int) -> None:
    sealed = box.seal(secret)
    if length < len(sealed):
        with pytest.raises(ValueError, match="ENCRYPTION_KEY"):
            box.open(sealed[:length])


@given(secrets)
def test_another_key_opens_nothing_and_hashes_otherwise(secret: str) -> None:
    other = SecretBox(ROOT_KEY + "x")
    assert other.lookup_hash(secret) != box.lookup_hash(secret)
    with pytest.raises(ValueError, match="ENCRYPTION_KEY"):
        other.open(box.seal(secret))


@given(secrets)
def test_a_lookup_hash_is_the_same_in_every_process(secret: str) -> None:
    assert SecretBox(ROOT_KEY).lookup_hash(secret) == box.lookup_hash(secret)
    assert len(box.lookup_hash(secret)) == 64


def test_nothing_secret_is_in_its_text() -> None:
    assert ROOT_KEY not in repr(box)
    assert ROOT_KEY not in str(vars(box))


def test_the_error_does_not_show_the_sealed_bytes() -> None:
    sealed = box.seal("SK_1")
    with pytest.raises(ValueError, match="ENCRYPTION_KEY") as caught:
        SecretBox("another").open(sealed)
    assert sealed.hex() not in str(caught.value)
