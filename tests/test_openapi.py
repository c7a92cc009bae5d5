"""The OpenAPI document: complete, its examples true, its security what is really enforced."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args

import httpx
import pytest
from fastapi import Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from fastapi.security.base import SecurityBase
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from gateway.auth.callers import AnyAdmin, ApiKeyCaller, CurrentUser, SignedMerchant, SystemAdmin
from gateway.errors import responses
from gateway.main import create_app
from gateway.webhooks.router import VerifiedSender
from tests.support.factories import API, create_merchant, log_in, make_settings

_OPTIONAL = "signature"
"""The one scheme that a route may take without needing it."""


def _dependency(caller_type: Any) -> Any:
    """The function behind a parameter type such as ``CurrentUser``."""
    return get_args(caller_type)[1].dependency


_SCHEMES = {
    _dependency(CurrentUser): {"bearer"},
    _dependency(ApiKeyCaller): {"apiKey"},
    _dependency(SignedMerchant): {"apiKey", "signature"},
    _dependency(VerifiedSender): {"apiKey", "signature"},
}
_BY_ROLE = {_dependency(AnyAdmin), _dependency(SystemAdmin)}


@dataclass(frozen=True, slots=True)
class Operation:
    """One documented operation beside the route that serves it."""

    name: str
    route: RouteContext
    documented: dict[str, Any]
    root: dict[str, Any]

    @property
    def security(self) -> list[set[str]]:
        """The documented alternatives, each the schemes that it takes together."""
        return [set(entry) for entry in self.documented.get("security", [])]


def operations(app: FastAPI) -> list[Operation]:
    root = app.openapi()
    return [
        Operation(f"{method} {context.path_format}", context, _documented(root, context, method), root)
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute) and context.include_in_schema
        for method in sorted(context.methods or ())
    ]


def _documented(root: dict[str, Any], context: RouteContext, method: str) -> dict[str, Any]:
    found: dict[str, Any] = root["paths"][context.path_format][method.lower()]
    return found


def problems(app: FastAPI) -> list[str]:
    """All that the document lacks, each as ``<method> <path>: <what>``."""
    checks = (_summary, _errors, _security, _body_example, _parameter_examples, _answer_examples)
    return [
        f"{operation.name}: {problem}"
        for operation in operations(app)
        for check in checks
        for problem in check(operation)
    ]


def _summary(operation: Operation) -> Iterator[str]:
    if not operation.route.summary:
        yield "has no summary"
    if not operation.documented.get("tags"):
        yield "has no tag"


def _errors(operation: Operation) -> Iterator[str]:
    answers = operation.documented["responses"]
    calls = set(_calls(operation.route.dependant))
    needed = {"422", "503"}
    needed |= {"401"} if _enforced(operation.route.dependant) else set()
    needed |= {"403"} if calls & _BY_ROLE else set()
    needed |= {"413"} if "requestBody" in operation.documented else set()
    for status in sorted(needed - set(answers)):
        yield f"does not tell of its {status}"
    for status, answer in answers.items():
        if status >= "400":
            yield from _error_shape(status, answer, operation.root)


def _error_shape(status: str, answer: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    content = answer.get("content", {}).get("application/json", {})
    schema = _resolve(content.get("schema", {}), root)
    required = set(schema.get("required", ()))
    if not {"detail", "error_code", "request_id"} <= required:
        yield f"its {status} has another shape than an error"
    for example in _examples_beside(content):
        if not isinstance(example, dict) or not {"detail", "error_code", "request_id"} <= set(example):
            yield f"an example of its {status} has another shape than an error"


def _security(operation: Operation) -> Iterator[str]:
    enforced, documented = _enforced(operation.route.dependant), operation.security
    if set().union(*documented) != enforced:
        yield f"documents {documented} and enforces {sorted(enforced)}"
    for alternative in documented:
        if not enforced - {_OPTIONAL} <= alternative:
            yield f"seems to need only {sorted(alternative)}"
    known = operation.root.get("components", {}).get("securitySchemes", {})
    for name in sorted(enforced - set(known)):
        yield f"its scheme {name} is not described"


def _enforced(dependant: Dependant) -> set[str]:
    """The schemes of every caller type among the dependencies, and of bare security dependencies."""
    found: set[str] = set()
    for call in _calls(dependant):
        found |= _SCHEMES.get(call, set())
        if isinstance(call, SecurityBase):
            found.add(str(call.scheme_name))
    return found


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


def _body_example(operation: Operation) -> Iterator[str]:
    for content in operation.documented.get("requestBody", {}).get("content", {}).values():
        yield from _examples_hold("its body", content, operation.root)


def _parameter_examples(operation: Operation) -> Iterator[str]:
    for parameter in operation.documented.get("parameters", ()):
        yield from _examples_hold(f"its parameter {parameter['name']}", parameter, operation.root)


def _answer_examples(operation: Operation) -> Iterator[str]:
    for status, answer in operation.documented["responses"].items():
        if not answer.get("content"):
            yield f"its {status} has no content"
        for content in answer.get("content", {}).values():
            yield from _examples_hold(f"its {status}", content, operation.root)


def _examples_hold(what: str, described: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    """There is an example, given or made of the members' own, and all of them fit the schema."""
    schema = described.get("schema", {})
    given = _examples_beside(described)
    try:
        examples = given or [example_of(schema, root)]
    except LookupError as error:
        yield f"{what} has no example for {error.args[0]}"
        return
    for example in examples:
        if not _fits(example, schema, root):
            yield f"{what} has an example that its schema refuses: {example!r}"


def _examples_beside(described: dict[str, Any]) -> list[Any]:
    single = [described["example"]] if "example" in described else []
    return single + [entry["value"] for entry in described.get("examples", {}).values()]


def _fits(example: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    return Draft202012Validator({**schema, "components": root.get("components", {})}).is_valid(example)


def _resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    target: Any = root
    for part in schema["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**target, **{name: value for name, value in schema.items() if name != "$ref"}}


def example_of(schema: dict[str, Any], root: dict[str, Any], path: str = "the whole") -> Any:
    """The example that a reader is shown, made of the members' examples.

    Raises:
        LookupError: a member has none.
    """
    schema = _resolve(schema, root)
    for given in (schema.get("examples"), schema.get("enum")):
        if given:
            return given[0]
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if "properties" in schema:
        members = schema["properties"].items()
        return {name: example_of(member, root, name) for name, member in members}
    if schema.get("type") == "array":
        return [example_of(schema["items"], root, f"{path}[]")]
    for branch in schema.get("anyOf", ()):
        if branch.get("type") == "null":
            return None
        try:
            return example_of(branch, root, path)
        except LookupError:
            continue
    raise LookupError(path)


@pytest.fixture(scope="module")
def gateway_app() -> FastAPI:
    return create_app(make_settings())


def test_the_document_lacks_nothing(gateway_app: FastAPI) -> None:
    assert problems(gateway_app) == []


def test_every_route_is_documented_once(gateway_app: FastAPI) -> None:
    names = [operation.name for operation in operations(gateway_app)]
    ids = [operation.documented["operationId"] for operation in operations(gateway_app)]
    assert len(set(names)) == len(names)
    assert len(set(ids)) == len(ids)
    documented = sum(len(methods) for methods in gateway_app.openapi()["paths"].values())
    assert documented == len(names)


def test_the_documents_own_security_schemes(gateway_app: FastAPI) -> None:
    schemes = gateway_app.openapi()["components"]["securitySchemes"]
    assert set(schemes) == {"bearer", "apiKey", "signature"}
    assert (schemes["bearer"]["type"], schemes["bearer"]["scheme"]) == ("http", "bearer")
    assert (schemes["apiKey"]["in"], schemes["apiKey"]["name"]) == ("header", "X-API-Key")
    assert (schemes["signature"]["in"], schemes["signature"]["name"]) == ("header", "X-Signature")
    charge = gateway_app.openapi()["paths"][f"{API}/payments/charge"]["post"]["security"]
    assert charge == [{"apiKey": []}, {"apiKey": [], "signature": []}]
    query = gateway_app.openapi()["paths"][f"{API}/payments/query"]["get"]["security"]
    assert query == [{"apiKey": [], "bearer": []}]


def test_every_example_anywhere_fits_the_schema_it_stands_in(gateway_app: FastAPI) -> None:
    root = gateway_app.openapi()
    found = list(_schemas_with_examples(root))
    assert len(found) > 50
    refused = [
        (schema, example)
        for schema in found
        for example in schema["examples"]
        if not _fits(example, schema, root)
    ]
    assert refused == []


def _schemas_with_examples(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("examples"), list):
            yield node
        for inner in node.values():
            yield from _schemas_with_examples(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _schemas_with_examples(inner)


async def test_the_documented_security_is_what_is_enforced(app: FastAPI, client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    credentials = {"apiKey": merchant.headers, "bearer": await log_in(client, email=merchant.email)}
    for operation in operations(app):
        needed = set.intersection(*operation.security) if operation.security else set()
        method, _, path = operation.name.partition(" ")
        for missing in sorted(needed & set(credentials)):
            given = {k: v for name, kept in credentials.items() if name != missing for k, v in kept.items()}
            answer = await client.request(method, path, headers=given)
            assert answer.status_code == 401, (operation.name, missing)
        bare = await client.request(method, path)
        assert (bare.status_code == 401) is bool(needed), operation.name
        if "signature" in needed:
            answer = await client.request(method, path, headers=merchant.headers)
            assert answer.status_code == 401, operation.name


async def test_the_documented_examples_work(app: FastAPI, client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    root = app.openapi()

    def body_of(path: str, media_type: str = "application/json") -> Any:
        content = root["paths"][f"{API}{path}"]["post"]["requestBody"]["content"][media_type]
        return example_of(content["schema"], root)

    charged = await client.post(
        f"{API}/payments/charge", json=body_of("/payments/charge"), headers=merchant.headers
    )
    assert charged.status_code == 201, charged.text
    registered = await client.post(f"{API}/users/register", json=body_of("/users/register"))
    assert registered.status_code == 201, registered.text
    logged_in = await client.post(f"{API}/users/login", json=body_of("/users/login"))
    assert logged_in.status_code == 200, logged_in.text
    form = body_of("/login", "application/x-www-form-urlencoded")
    assert (await client.post(f"{API}/login", data=form)).status_code == 200
    both = {**merchant.headers, **await log_in(client, email=merchant.email)}
    for parameter in root["paths"][f"{API}/payments/query"]["get"]["parameters"]:
        value = example_of(parameter["schema"], root)
        answer = await client.get(f"{API}/payments/query", params={parameter["name"]: value}, headers=both)
        assert answer.status_code in (200, 404), (parameter["name"], answer.text)


class Incomplete(BaseModel):
    text: str


def _open_route(body: Incomplete, number: int) -> Incomplete:
    return body


def _closed_route(caller: CurrentUser) -> dict[str, int]:
    return {}


def _admins_route(admin: AnyAdmin) -> None:
    return None


def _wrong_example(text: Annotated[str, Depends(lambda: "x")]) -> None:
    return None


def test_an_incomplete_document_is_found_out() -> None:
    app = FastAPI()
    app.post("/open")(_open_route)
    app.get("/closed", summary="Closed", tags=["x"], responses={401: {"description": "No."}})(_closed_route)
    app.get("/admins", summary="Admins", tags=["x"], responses=responses())(_admins_route)
    app.get(
        "/example",
        summary="Wrong example",
        tags=["x"],
        responses={
            **responses(),
            200: {"content": {"application/json": {"schema": {"type": "integer"}, "example": "one"}}},
        },
    )(_wrong_example)
    schema = app.openapi()
    schema["paths"]["/closed"]["get"].pop("security")
    found = "\n".join(problems(app))
    for expected in (
        "POST /open: has no summary",
        "POST /open: has no tag",
        "POST /open: does not tell of its 413",
        "POST /open: does not tell of its 503",
        "POST /open: its 422 has another shape than an error",
        "POST /open: its body has no example for text",
        "POST /open: its parameter number has no example",
        "POST /open: its 200 has no example for text",
        "GET /closed: does not tell of its 422",
        "GET /closed: its 401 has another shape than an error",
        "GET /closed: its 401 has no content",
        "GET /closed: documents [] and enforces ['bearer']",
        "GET /admins: does not tell of its 401",
        "GET /admins: does not tell of its 403",
        "GET /example: its 200 has an example that its schema refuses: 'one'",
    ):
        assert expected in found
