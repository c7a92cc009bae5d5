"""The comparison notices what it is there for."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.docs.comparison import confusions, differences
from tests.docs.markdown import examples, read, section

SHOWN = {
    "id": "txn_01a1fb7b76e500002225a46b5fc9",
    "createdAt": "2026-11-21T00:22:15.013Z",
    "amount": 10.5,
    "items": [{"status": "pending"}],
}


def _differences(**changes: object) -> list[str]:
    return differences(json.dumps(SHOWN), json.dumps({**SHOWN, **changes}), "json")


def test_other_ids_times_and_secrets_of_the_same_form_are_no_difference() -> None:
    assert not _differences(id="txn_01a1fb7b770900000f7e629875b0", createdAt="2027-01-01T01:02:03.004Z")
    shown = f"PK_LIVE_{'0' * 48} SK_{'a' * 48} req_{'1' * 28} ada-1795220000@shop.example"
    real = f"PK_LIVE_{'f' * 48} SK_{'b' * 48} req_{'2' * 28} ada-1805220000@shop.example"
    assert not differences(shown, real, "text")


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 10.51},
        {"amount": "10.5"},
        {"amount": None},
        {"extra": 1},
        {"id": "user_01a1fb7b76e500002225a46b5fc9"},
        {"id": "txn_1"},
        {"createdAt": "2026-11-21T00:22:15Z"},
        {"items": []},
        {"items": [{"status": "completed"}]},
        {"items": [{"state": "pending"}]},
    ],
)
def test_a_changed_value_key_or_form_is_found(changes: dict[str, object]) -> None:
    assert _differences(**changes)


def test_a_missing_key_is_found() -> None:
    real = {name: value for name, value in SHOWN.items() if name != "amount"}
    assert differences(json.dumps(SHOWN), json.dumps(real), "json") == [
        "$.amount: documented, but did not come"
    ]


def _changed_somewhere(value: Any) -> Iterator[Any]:
    """``value`` with one of its members or items changed, for each of them at any depth."""
    if isinstance(value, dict):
        for name, member in value.items():
            others = {other: kept for other, kept in value.items() if other != name}
            yield {**others, f"{name}X": member}
            yield from ({**value, name: changed} for changed in _changed_somewhere(member))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from (
                [*value[:index], changed, *value[index + 1 :]] for changed in _changed_somewhere(item)
            )
        yield [*value, None]
    else:
        yield f"{value}X"


def test_a_change_to_any_documented_answer_is_found() -> None:
    answers = [e.answer.text for e in examples(read("api_documentation.md")) if e.answer is not None]
    for shown in (text for text in answers if text.startswith(("{", "["))):
        assert not differences(shown, shown, "json")
        for changed in _changed_somewhere(json.loads(shown)):
            assert differences(shown, json.dumps(changed), "json")


def test_true_is_not_one_and_a_whole_number_is_not_a_fraction() -> None:
    assert differences("[1]", "[true]", "json")
    assert differences("[1]", "[1.0]", "json")


def test_another_line_of_text_is_found() -> None:
    assert differences("verified", "REFUSED: signature", "text")


def test_one_id_that_is_really_two_or_two_that_are_one_are_found() -> None:
    one, two = f"txn_{'1' * 28}", f"txn_{'2' * 28}"
    shown = f"txn_{'a' * 28}"
    assert not confusions([(shown, one), (shown, one)])
    assert confusions([(shown, one), (shown, two)])
    assert confusions([(one, shown), (two, shown)])


def test_an_answer_belongs_to_the_commands_directly_above_it() -> None:
    text = (
        "## One\n```bash\na\n```\n```json\n1\n```\n## Two\n```bash\n# 201\nb\n```\nProse.\n```json\n2\n```\n"
    )
    first, second = examples(text)
    assert (first.title, first.answer and first.answer.text, first.status) == ("One", "1\n", None)
    assert (second.title, second.answer, second.status) == ("Two", None, 201)
    assert "a\n" not in section(text, "## Two")
