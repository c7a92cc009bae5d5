"""What the files that deploy the gateway say, held against the gateway itself."""

import base64
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.cli.app import app as command_line
from gateway.config import Settings
from gateway.main import create_app
from tests.support.factories import make_settings

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {name.upper() for name in Settings.model_fields}
SECRETS = {"JWT_SECRET", "ENCRYPTION_KEY", "ADMIN_PASSWORD"}


@dataclass
class Stage:
    """One ``FROM`` of a Dockerfile with the instructions after it, in order."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for instruction, value in self.instructions if instruction == name]

    def last(self, name: str) -> str:
        found = self.all(name)
        assert found, f"no {name}"
        return found[-1]


def parse_dockerfile(text: str) -> list[Stage]:
    lines = [line for line in text.splitlines() if not re.match(r"\s*#", line)]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    stages: list[Stage] = []
    for line in filter(None, (line.strip() for line in joined.splitlines())):
        name, _, value = line.partition(" ")
        if name.upper() == "FROM":
            stages.append(Stage(value))
        else:
            stages[-1].instructions.append((name.upper(), value.strip()))
    return stages


def read_yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


@pytest.fixture(scope="module")
def final() -> Stage:
    return parse_dockerfile((ROOT / "Dockerfile").read_text())[-1]


@pytest.fixture(scope="module")
def image_environment(final: Stage) -> dict[str, str]:
    pairs = [pair for value in final.all("ENV") for pair in shlex.split(value)]
    return dict(pair.split("=", 1) for pair in pairs)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = read_yaml("docker-compose.yml")
    return loaded


@pytest.fixture(scope="module")
def render() -> dict[str, Any]:
    services = read_yaml("render.yaml")["services"]
    assert len(services) == 1
    service: dict[str, Any] = services[0]
    return service


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    loaded: dict[Any, Any] = read_yaml(".github/workflows/test.yml")
    return loaded


@pytest.fixture(scope="module")
def routes() -> set[str]:
    schema = create_app(make_settings()).openapi()
    return set(schema["paths"])


def test_the_parser_joins_lines_and_knows_stages() -> None:
    stages = parse_dockerfile("FROM a AS b\n# no\nRUN x \\\n    # why\n    && y\nFROM c\nUSER me\n")
    assert [stage.base for stage in stages] == ["a AS b", "c"]
    assert stages[0].instructions == [("RUN", "x  && y")]
    assert stages[1].last("USER") == "me"


def test_the_image_is_slim_and_runs_as_nobody_special(final: Stage) -> None:
    assert final.base.startswith("python:3.11-slim")
    assert final.last("USER").partition(":")[0] not in ("root", "0")
    after_user = [name for name, _ in final.instructions[-6:]]
    assert "RUN" not in after_user[after_user.index("USER") :]


def test_the_final_stage_has_no_compiler_and_no_package_lists(final: Stage) -> None:
    commands = " ".join(final.all("RUN"))
    assert not re.search(r"\b(gcc|g\+\+|clang|make|build-essential|\S+-dev|curl)\b", commands)
    assert "pip install" not in commands
    assert "rm -rf /var/lib/apt/lists" in commands
    assert "--no-install-recommends" in commands


def test_the_image_holds_what_the_packaged_mongod_is_linked_against(final: Stage) -> None:
    installed = " ".join(final.all("RUN")).split()
    assert {"libcurl4", "liblzma5"} <= set(installed)


def test_the_image_serves_to_the_outside_and_keeps_its_data_in_a_volume(
    final: Stage, image_environment: dict[str, str]
) -> None:
    assert image_environment["HOST"] == "0.0.0.0"
    assert image_environment["GATEWAY_DATA_DIR"] == final.last("VOLUME") == "/data"
    assert image_environment["PORT"] == final.last("EXPOSE")
    assert any("/data" in run and "--owner" in run for run in final.all("RUN"))


def test_the_image_starts_a_command_that_exists(final: Stage) -> None:
    assert json.loads(final.last("ENTRYPOINT")) == ["python", "-m", "gateway"]
    names = {info.callback.__name__ for info in command_line.registered_commands if info.callback}
    assert set(json.loads(final.last("CMD"))) <= names


def test_the_image_check_asks_a_real_route_with_valid_python(final: Stage, routes: set[str]) -> None:
    command = json.loads(final.last("HEALTHCHECK").partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "healthcheck", "exec")
    paths = re.findall(r"'(/\w+)'", command[2])
    assert paths == ["/health"]
    assert set(paths) <= routes


def test_no_secret_is_in_the_image(image_environment: dict[str, str]) -> None:
    assert not SECRETS & image_environment.keys()
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    assert "*" in ignored
    allowed = [line[1:] for line in ignored if line.startswith("!")]
    assert sorted(allowed) == ["gateway", "requirements.txt"]


def test_what_the_build_copies_is_let_through() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    stages = parse_dockerfile((ROOT / "Dockerfile").read_text())
    copied = [copy.split()[0] for stage in stages for copy in stage.all("COPY") if "--from" not in copy]
    assert set(copied) == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_every_name_that_is_set_is_a_setting(
    image_environment: dict[str, str], compose: dict[str, Any], render: dict[str, Any]
) -> None:
    assert image_environment.keys() - {"PATH"} <= SETTINGS
    assert compose["services"]["gateway"]["environment"].keys() <= SETTINGS
    assert {variable["key"] for variable in render["envVars"]} <= SETTINGS


def test_compose_demands_its_secrets(compose: dict[str, Any]) -> None:
    environment = compose["services"]["gateway"]["environment"]
    for name in SECRETS:
        assert environment[name].startswith(f"${{{name}:?")


def test_compose_waits_for_a_primary(compose: dict[str, Any]) -> None:
    gateway, mongo = compose["services"]["gateway"], compose["services"]["mongo"]
    assert gateway["depends_on"] == {"mongo": {"condition": "service_healthy"}}
    assert gateway["environment"]["MONGODB_URL"] == "mongodb://mongo:27017/?replicaSet=gateway"
    command: list[str] = mongo["command"]
    assert command[command.index("--replSet") + 1] == "gateway"
    check = mongo["healthcheck"]["test"][-1]
    assert "rs.initiate" in check
    assert "isWritablePrimary" in check
    assert "$" not in check, "compose would take it for a variable"
    assert "ports" not in mongo


def test_compose_keeps_the_data_of_mongodb(compose: dict[str, Any]) -> None:
    named = {volume.partition(":")[0] for volume in compose["services"]["mongo"]["volumes"]}
    assert named == compose["volumes"].keys()


def test_render_checks_a_real_route_and_makes_its_secrets(render: dict[str, Any], routes: set[str]) -> None:
    assert render["type"] == "web"
    assert render["runtime"] == "docker"
    assert (ROOT / render["dockerfilePath"]).samefile(ROOT / "Dockerfile")
    assert render["healthCheckPath"] in routes
    variables = {variable["key"]: variable for variable in render["envVars"]}
    assert all(variables[name]["generateValue"] is True for name in SECRETS)
    assert variables["MONGODB_URL"] == {"key": "MONGODB_URL", "sync": False}


def _compose_values(compose: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in compose["services"]["gateway"]["environment"].items():
        default = re.fullmatch(r"\$\{\w+:-(.*)\}", value)
        if value.startswith("${") and not default:
            yield name, "0123456789abcdef" * 2
        else:
            yield name, default[1] if default else value


def test_the_settings_of_compose_are_accepted_in_production(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in _compose_values(compose):
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert settings.environment == "production"
    assert settings.workers == 2


def test_the_settings_of_render_are_accepted_in_production(
    render: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in render["envVars"]:
        generated = base64.b64encode(bytes(range(32))).decode()
        monkeypatch.setenv(variable["key"], variable.get("value", generated))
    assert Settings.load().environment == "production"


def test_the_workflow_runs_make_and_nothing_else(workflow: dict[Any, Any]) -> None:
    steps = workflow["jobs"]["test"]["steps"]
    runs = [step["run"] for step in steps if "run" in step]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert "make test" in runs
    assert "make lint" in runs
    assert {run.removeprefix("make ") for run in runs} <= targets


def test_the_workflow_tries_the_oldest_python_on_every_change(workflow: dict[Any, Any]) -> None:
    assert "3.11" in workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert {"push", "pull_request"} <= workflow[True].keys()  # YAML 1.1 reads a bare `on` as true
    assert workflow["permissions"] == {"contents": "read"}
