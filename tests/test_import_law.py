"""Who may import whom: read from the sources, so that the layers stay what the design says.

``kit`` ← ``config``, ``errors``, ``metrics``, ``store`` ← rooms ← ``admin``, ``dashboard``, ``cli``
← ``api`` ← ``main``.
"""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "gateway"

KIT = {"kit"}
GROUND = {"config", "errors", "metrics", "store"}
ROOMS = {
    "api_keys",
    "auth",
    "disputes",
    "feedback",
    "idempotency",
    "payment_methods",
    "payments",
    "refunds",
    "scenarios",
    "settlement",
    "status",
    "users",
    "wallets",
    "webhooks",
}
LEAVES = {"admin", "cli", "dashboard"}
ROOT = ""
"""``gateway/__init__.py``: the name and the version, which anybody may know."""

ALLOWED: dict[str, set[str]] = {
    ROOT: set(),
    **dict.fromkeys(KIT, KIT),
    **dict.fromkeys(GROUND | {"logs", "middleware", "openapi"}, KIT | GROUND | {ROOT}),
    **dict.fromkeys(ROOMS, KIT | GROUND | ROOMS | {ROOT}),
    **{leaf: KIT | GROUND | ROOMS | {ROOT, "logs", leaf} for leaf in LEAVES},
    "api": ROOMS | LEAVES,
    "main": KIT | GROUND | ROOMS | {ROOT, "logs", "middleware", "openapi", "api"},
    "__main__": {"cli"},
}
"""What each part of the package may import; a part that is not here is unknown."""

Sources = Mapping[str, str]
"""Module names with their source text; a package's name stands for its ``__init__``."""


def read_sources(package: Path = PACKAGE) -> dict[str, str]:
    sources = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        sources[".".join(parts).removesuffix(".__init__")] = path.read_text()
    return sources


def part_of(module: str) -> str:
    """``kit`` of ``gateway.kit.clock``; empty for ``gateway`` itself."""
    return module.split(".")[1] if "." in module else ROOT


def is_package(module: str, sources: Sources) -> bool:
    return any(other.startswith(f"{module}.") for other in sources)


def imports_of(module: str, sources: Sources) -> set[str]:
    """The modules of this package that ``module`` imports, wherever in it the statement stands."""
    return {
        target
        for node in ast.walk(ast.parse(sources[module]))
        for target in _targets(node, module, sources)
        if target.split(".")[0] == "gateway"
    }


def _targets(node: ast.AST, module: str, sources: Sources) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _base(node, module, sources)
        for alias in node.names:
            deeper = f"{base}.{alias.name}"
            yield deeper if deeper in sources or is_package(deeper, sources) else base


def _base(node: ast.ImportFrom, module: str, sources: Sources) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    up = node.level - 1 if is_package(module, sources) else node.level
    return ".".join([*parts[: len(parts) - up], *([node.module] if node.module else [])])


def breaches(sources: Sources) -> list[str]:
    """Every import that the law forbids, as a sentence each."""
    found = []
    for module in sorted(sources):
        part = part_of(module)
        if part not in ALLOWED:
            found.append(f"{module}: '{part}' is no known layer or room")
            continue
        for target in sorted(imports_of(module, sources)):
            other = part_of(target)
            if other not in ALLOWED[part]:
                found.append(f"{module} imports {target}: {part or 'gateway'} may not know {other}")
            elif "documents" in target.split(".")[2:] and part not in (other, "main"):
                found.append(f"{module} imports {target}: documents belong to their own room")
    return found


def find_cycle(sources: Sources) -> list[str] | None:
    """The modules of one import cycle, if there is any."""
    graph = {module: imports_of(module, sources) & sources.keys() - {module} for module in sources}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


def unknown_folders(package: Path) -> list[str]:
    folders = (path.name for path in package.iterdir() if path.is_dir())
    return sorted(name for name in folders if name not in ALLOWED and name != "__pycache__")


# The law, held against the code.


def test_nobody_imports_what_it_may_not_know() -> None:
    assert breaches(read_sources()) == []


def test_no_module_imports_itself_in_a_circle() -> None:
    assert find_cycle(read_sources()) is None


def test_every_folder_is_a_known_layer_or_room() -> None:
    assert unknown_folders(PACKAGE) == []


def test_the_sources_are_really_read() -> None:
    sources = read_sources()
    assert {"gateway", "gateway.main", "gateway.kit.ids", "gateway.payments.service"} <= sources.keys()
    assert "gateway.payments.documents" in imports_of("gateway.main", sources)
    assert "gateway.kit.clock" in imports_of("gateway.kit.schema", sources)


# The checker, held against small sources.

FORBIDDEN = [
    ("gateway.kit.a", "from gateway.config import Settings"),
    ("gateway.kit.a", "from gateway import VERSION"),
    ("gateway.config", "from gateway.users import service"),
    ("gateway.errors", "import gateway.users.service"),
    ("gateway.metrics", "from gateway.users.service import register"),
    ("gateway.store.a", "from gateway.users.documents import User"),
    ("gateway.store.a", "def late() -> None:\n    from gateway.users import service"),
    ("gateway.logs", "from gateway.middleware import a"),
    ("gateway.config", "from gateway.logs import configure_logs"),
    ("gateway.middleware.a", "from gateway.auth import callers"),
    ("gateway.payments.service", "from gateway.users.documents import User"),
    ("gateway.payments.service", "from gateway.users import documents"),
    ("gateway.payments.service", "from ..users import documents"),
    ("gateway.payments.service", "import gateway.users.documents as theirs"),
    ("gateway.payments.service", "from gateway.users.documents.people import Person"),
    ("gateway.payments.service", "if TYPE_CHECKING:\n    from gateway.users.documents import User"),
    ("gateway.payments.service", "from gateway.admin import router"),
    ("gateway.payments.service", "from gateway.cli.serve import serve"),
    ("gateway.payments.service", "import gateway.dashboard.pages"),
    ("gateway.payments.service", "from gateway.main import create_app"),
    ("gateway.payments.service", "from gateway.api import include_routers"),
    ("gateway.payments.service", "from gateway.middleware import request_context"),
    ("gateway.admin.router", "from gateway.users.documents import User"),
    ("gateway.admin.router", "from gateway.cli import serve"),
    ("gateway.cli.serve", "from gateway.main import create_app"),
    ("gateway.cli.serve", "from gateway.api import include_routers"),
    ("gateway.api", "from gateway.main import create_app"),
    ("gateway.api", "from gateway.users.documents import User"),
    ("gateway.refounds.service", "pass"),
    ("gateway.helpers", "pass"),
]
PERMITTED = [
    ("gateway.kit.a", "import json\nfrom gateway.kit import ids\nfrom . import clock"),
    (
        "gateway.config",
        "from gateway.errors import StartupError\nfrom gateway.kit.secretbox import SecretBox",
    ),
    ("gateway.store.a", "from gateway.config import Settings\nfrom gateway.store import due"),
    ("gateway.payments.service", "from gateway.payments.documents import Transaction"),
    ("gateway.payments.service", "from .documents import Transaction\nfrom . import documents"),
    ("gateway.payments.service", "from gateway.users import service\nfrom gateway.users.roles import Role"),
    ("gateway.admin.router", "from gateway.users import service\nfrom gateway import VERSION"),
    ("gateway.cli.serve", "from gateway.config import Settings\nfrom gateway.cli import listen"),
    ("gateway.api", "from gateway.admin.router import router"),
    ("gateway.main", "from gateway.api import include_routers\nfrom gateway.users.documents import User"),
    ("gateway.payments.service", "import gatewayish\nfrom other.gateway.main import documents"),
]
AROUND = {
    "gateway": "VERSION = '1'",
    "gateway.users": "",
    "gateway.users.service": "",
    "gateway.users.documents": "",
    "gateway.kit.clock": "",
    "gateway.payments": "",
    "gateway.payments.documents": "",
}


@pytest.mark.parametrize(("module", "source"), FORBIDDEN)
def test_the_checker_finds_a_forbidden_import(module: str, source: str) -> None:
    found = breaches({**AROUND, module: source})
    assert len(found) == 1
    assert found[0].startswith(module)


@pytest.mark.parametrize(("module", "source"), PERMITTED)
def test_the_checker_lets_a_permitted_import_be(module: str, source: str) -> None:
    assert breaches({**AROUND, module: source}) == []


def test_a_cycle_is_found_whatever_the_form_of_its_imports() -> None:
    sources = {
        "gateway": "",
        "gateway.a": "",
        "gateway.a.one": "from gateway.b import two",
        "gateway.b": "",
        "gateway.b.two": "def late() -> None:\n    import gateway.b.three",
        "gateway.b.three": "from ..a.one import name",
    }
    cycle = find_cycle(sources)
    assert cycle is not None
    assert set(cycle) == {"gateway.a.one", "gateway.b.two", "gateway.b.three"}


def test_siblings_of_one_package_are_no_cycle() -> None:
    sources = {
        "gateway": "",
        "gateway.a": "",
        "gateway.a.one": "from gateway.a import two",
        "gateway.a.two": "from gateway import VERSION",
    }
    assert find_cycle(sources) is None


def test_a_package_that_imports_its_own_module_which_imports_it_is_a_cycle() -> None:
    sources = {"gateway.a": "from gateway.a.one import x", "gateway.a.one": "from gateway.a import y"}
    assert find_cycle(sources) is not None


def test_relative_imports_are_resolved() -> None:
    sources = {
        "gateway": "",
        "gateway.a": "from . import one\nfrom .one import x",
        "gateway.a.one": "from . import two\nfrom .two import y\nfrom .. import b\nfrom ..b import z",
        "gateway.a.two": "",
        "gateway.b": "",
    }
    assert imports_of("gateway.a", sources) == {"gateway.a.one"}
    assert imports_of("gateway.a.one", sources) == {"gateway.a.two", "gateway.b"}


def test_an_unknown_folder_is_found(tmp_path: Path) -> None:
    for name in ("kit", "payments", "__pycache__", "utils"):
        (tmp_path / name).mkdir()
    assert unknown_folders(tmp_path) == ["utils"]
