"""Every example of the API documentation is run, and answers as printed."""

import base64
import hashlib
import hmac
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import gateway.main
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.kit.cards import TEST_CARD_NUMBERS
from tests.docs.comparison import differences
from tests.docs.live import Run, running
from tests.docs.markdown import blocks, examples, read, section, table
from tests.docs.session import substitute
from tests.support.factories import make_settings
from tests.support.receiver import Received, Receiver

DOCUMENTATION = read("api_documentation.md")
EXAMPLES = examples(DOCUMENTATION)

_WITHOUT_A_CLASS = {
    ("400", "BAD_REQUEST"),
    ("404", "NOT_FOUND"),
    ("405", "METHOD_NOT_ALLOWED"),
    ("413", "BODY_TOO_LARGE"),
    ("422", "VALIDATION_ERROR"),
    ("500", "INTERNAL_ERROR"),
}


@dataclass(frozen=True, slots=True)
class Documented:
    """The examples as they were run, with the webhook that came of them and its secret."""

    run: Run
    webhook: Received
    secret: str


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documented]:
    folder = tmp_path_factory.mktemp("api")
    with Receiver() as receiver:
        port = int(receiver.url.split(":")[2].split("/")[0])
        with running(EXAMPLES, folder, port) as run:
            registered = next(o.output for o in run.outcomes if "webhookSecret" in o.output)
            yield Documented(run, receiver.wait_for(1)[0], json.loads(registered)["webhookSecret"])


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=[e.title.strip("`") for e in EXAMPLES])
def test_an_example_answers_as_printed(documented: Documented, number: int) -> None:
    assert documented.run.problems(number) == []


def test_what_is_shown_as_one_id_is_one(documented: Documented) -> None:
    assert documented.run.confusions() == []


def test_every_example_with_a_curl_shows_its_answer_and_status() -> None:
    calls = [example for example in EXAMPLES if re.search(r"\bcurl\b", example.commands)]
    assert [e.commands for e in calls if e.answer is None or e.status is None] == []


def test_every_endpoint_is_documented_and_no_other() -> None:
    paths: dict[str, dict[str, Any]] = gateway.main.create_app(make_settings()).openapi()["paths"]
    real = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    headings = set(re.findall(r"^### `([A-Z]+ /.*)`$", DOCUMENTATION, re.MULTILINE))
    assert headings == real


@pytest.mark.parametrize("heading", re.findall(r"^### `[A-Z]+ /.*`$", DOCUMENTATION, re.MULTILINE))
def test_an_endpoint_has_an_example_of_its_own(heading: str) -> None:
    method, _, path = heading.removeprefix("### ").strip("`").partition(" ")
    shape = re.sub(r"\\\{\w+\\\}", r"[^/\\s]+", re.escape(path))
    url = re.compile(rf'\$GATEWAY{shape}["?]')
    found = [e.commands for e in examples(section(DOCUMENTATION, heading)) if url.search(e.commands)]
    assert found
    assert method == "GET" or any(f"-X {method} " in commands for commands in found)


def _all(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _all(child)


def test_the_catalogue_has_every_error_and_no_other() -> None:
    rows = {(row[0], row[1]) for row in table(section(DOCUMENTATION, "### Catalogue"))}
    real = {(str(error.status_code), error.error_code) for error in _all(GatewayError)}
    assert rows == real | _WITHOUT_A_CLASS


def test_the_payload_is_what_comes(documented: Documented) -> None:
    shown = blocks(section(DOCUMENTATION, "### Payload"))[0].text
    came = documented.webhook.body.decode()
    assert differences(substitute(shown, documented.run.addresses), came, "json") == []
    assert documented.webhook.body == json.dumps(json.loads(came), separators=(",", ":")).encode()


def test_the_headers_are_what_comes(documented: Documented) -> None:
    rows = table(section(DOCUMENTATION, "### Headers"))
    of_http = {"host", "accept", "accept-encoding", "connection", "content-length"}
    assert {row[0].lower() for row in rows} == documented.webhook.headers.keys() - of_http
    fixed = {row[0].lower(): row[1] for row in rows[:2]}
    assert {name: documented.webhook.headers[name] for name in fixed} == fixed
    digest = hmac.new(documented.secret.encode(), documented.webhook.body, hashlib.sha256).hexdigest()
    assert documented.webhook.headers["x-signature"] == digest


def _snippets(language: str) -> list[str]:
    found = blocks(section(DOCUMENTATION, "### Verification"))
    return [block.text for block in found if block.language == language]


def _defined_by(snippet: str, name: str) -> Callable[[str, dict[str, str], bytes], Any]:
    names: dict[str, Any] = {}
    exec(compile(snippet, "api_documentation.md", "exec"), names)
    made: Callable[[str, dict[str, str], bytes], Any] = names[name]
    return made


def test_the_python_snippet_verifies_and_refuses(documented: Documented) -> None:
    verify = _defined_by(_snippets("python")[0], "verify")
    webhook = documented.webhook
    assert verify(documented.secret, webhook.headers, webhook.body)
    assert not verify(documented.secret, webhook.headers, webhook.body + b" ")
    assert not verify("SK_other", webhook.headers, webhook.body)
    assert not verify(documented.secret, {**webhook.headers, "webhook-timestamp": "1"}, webhook.body)


def test_the_library_snippet_verifies_and_refuses(documented: Documented) -> None:
    verified_payload = _defined_by(_snippets("python")[1], "verified_payload")
    webhook = documented.webhook
    assert verified_payload(documented.secret, webhook.headers, webhook.body) == json.loads(webhook.body)
    with pytest.raises(Exception, match="signature"):
        verified_payload("SK_other", webhook.headers, webhook.body)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_node_snippet_verifies_and_refuses(documented: Documented, tmp_path: Path) -> None:
    script = tmp_path / "verify.js"
    script.write_text(
        _snippets("javascript")[0]
        + "const [secret, headers, body] = JSON.parse(process.argv[2]);\n"
        + "const bytes = Buffer.from(body, 'base64');\n"
        + "const other = Buffer.concat([bytes, Buffer.from(' ')]);\n"
        + "console.log(verify(secret, headers, bytes), verify(secret, headers, other));\n"
    )
    body = base64.b64encode(documented.webhook.body).decode()
    given = json.dumps([documented.secret, documented.webhook.headers, body])
    ran = subprocess.run(["node", str(script), given], capture_output=True, text=True, check=True)
    assert ran.stdout == "true false\n"


def test_the_retry_schedule_is_the_settings_default() -> None:
    rows = table(section(DOCUMENTATION, "### Retries"))
    waits: tuple[float, ...] = Settings.model_fields["webhook_retry_seconds"].default
    assert rows == [[str(i), str(wait)] for i, wait in enumerate((0, *waits), start=1)]


def test_the_test_card_numbers_are_those_that_are_allowed() -> None:
    shown = re.findall(r"`(\d{13,19})`", section(DOCUMENTATION, "### Card numbers"))
    assert sorted(shown) == sorted(TEST_CARD_NUMBERS)
