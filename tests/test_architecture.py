"""The architecture: which folder may import which, where the clock and SQL are used."""

import ast
import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import projections
from interface.current_request import CurrentRequest
from interface.settings import PREFIX, variables
from projections.catalogue import CATALOGUE, FOLLOWERS, REACTIONS
from projections.engine.projection import Projection
from projections.reactions.reaction import Reaction

ROOT = Path(__file__).parent.parent
TOP_LEVEL = {
    "LICENSE",
    "Makefile",
    "README.md",
    "application",
    "domain",
    "interface",
    "projections",
    "pyproject.toml",
    "requirements-dev.lock",
    "requirements.lock",
    "tests",
}
# Each folder may import itself, the folders before it, the standard library, and these.
MAY_IMPORT = {
    "domain": {"eventsourcing.domain"},
    "application": {
        "argon2",
        "authlib",
        "zxcvbn",
        "cryptography",
        "email_validator",
        "eventsourcing",
        "fido2",
        "icalendar",
        "itsdangerous",
        "joserfc",
        "msgspec",
        "psycopg",
        "psycopg_pool",
        "recurring_ical_events",
        "standardwebhooks",
    },
    "projections": {"eventsourcing", "msgspec", "psycopg"},
    "interface": {
        "anyio",
        "apispec",
        "babel",
        "click",
        "flask",
        "flask_smorest",
        "granian",
        "icalendar",
        "idna",
        "jinja2",
        "markupsafe",
        "marshmallow",
        "mcp",
        "mcp_types",
        "msgspec",
        "prometheus_client",
        "psycopg",
        "rich",
        "segno",
        "starlette",
        "uvicorn",
        "werkzeug",
    },
}
TYPES_ONLY = {"_typeshed"}
FOLDERS = list(MAY_IMPORT)
SQL = re.compile(r"\s*(SELECT\b.*\bFROM|INSERT INTO|UPDATE\b.*\bSET|DELETE FROM|WITH)\b", re.S)

each_folder = pytest.mark.parametrize("folder", FOLDERS)


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def sources(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


ALL_MODULES = {module_name(file) for folder in FOLDERS for file in sources(folder)}


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(tree(file)):
        yield from imports_of(node)


def imports_of(node: ast.AST) -> Iterator[str]:
    """The modules that a statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"relative import in {ast.unparse(node)}"
        assert node.module is not None
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield whole if whole in ALL_MODULES else node.module


def is_within(module: str, allowed: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


@each_folder
def test_imports_point_from_the_interface_to_the_domain_only(folder: str) -> None:
    later = set(FOLDERS[FOLDERS.index(folder) + 1 :]) | {"tests"}
    upwards = {
        f"{module_name(file)} imports {module}"
        for file in sources(folder)
        for module in imports(file)
        if is_within(module, later)
    }
    assert upwards == set()


@each_folder
def test_each_folder_uses_only_the_packages_that_are_its_business(folder: str) -> None:
    allowed = MAY_IMPORT[folder] | set(FOLDERS) | sys.stdlib_module_names | TYPES_ONLY
    used = {module for file in sources(folder) for module in imports(file)}
    assert {module for module in used if not is_within(module, allowed)} == set()


# What only those install who want it, and the modules that need it.
EXTRAS = {
    "authlib": "application.identity_provider",
    "joserfc": "application.identity_provider",
    "anyio": "interface.agents.server",
    "mcp": "interface.agents.server",
    "mcp_types": "interface.agents.server",
    "starlette": "interface.agents.http_server",
    "uvicorn": "interface.agents.http_server",
}


def test_what_is_installed_only_on_request_is_loaded_only_where_it_is_used() -> None:
    allowed = set(EXTRAS) | set(EXTRAS.values())
    loaded_at_once = {
        (module_name(file), name)
        for folder in FOLDERS
        for file in sources(folder)
        for statement in tree(file).body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for name in imports_of(statement)
        if is_within(name, allowed)
    }
    outside = {(user, name) for user, name in loaded_at_once if user not in EXTRAS.values()}
    assert outside == set()
    assert {name.partition(".")[0] for _, name in loaded_at_once} - set(FOLDERS) == set(EXTRAS)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        module_name(file): set(imports(file)) & ALL_MODULES
        for folder in FOLDERS
        for file in sources(folder)
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(ALL_MODULES)


def room_of(module: str) -> str:
    """The folder that a module lies in; a file at the top of `interface` is a room of its own."""
    parts = module.split(".")
    is_folder = (ROOT / "/".join(parts[:2])).is_dir()
    return ".".join(parts[:2]) if is_folder or parts[0] == "interface" else parts[0]


def test_no_rooms_import_each_other_in_a_circle() -> None:
    arrows: dict[str, set[str]] = {}
    for module, file in ((module_name(f), f) for folder in FOLDERS for f in sources(folder)):
        rooms = {room_of(name) for name in imports(file) if name in ALL_MODULES}
        arrows.setdefault(room_of(module), set()).update(rooms - {room_of(module)})
    assert len(list(TopologicalSorter(arrows).static_order())) == len(arrows)


def clock_readings(file: Path) -> Iterator[str]:
    """Expressions that ask what time it is; how long something took is no such question."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            names = {alias.name for alias in node.names}
            yield from (f"time.{name}" for name in names - {"monotonic", "sleep"})
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            if re.search(
                r"\b(datetime|date)\.(now|utcnow|today)$|^time\.(?!monotonic|sleep)", text
            ):
                yield text


def test_only_the_bootstrap_reads_the_clock() -> None:
    readings = {
        (module_name(file), reading)
        for folder in FOLDERS
        for file in sources(folder)
        for reading in clock_readings(file)
    }
    assert readings == {("interface.bootstrap", "datetime.now")}


ENTRANCES = ("interface.api", "interface.pages", "interface.cli")


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_api_pages_and_command_line_never_import_each_other(entrance: str) -> None:
    others = set(ENTRANCES) - {entrance}
    crossings = {
        f"{module_name(file)} imports {module}"
        for file in sources(entrance.replace(".", "/"))
        for module in imports(file)
        if is_within(module, others)
    }
    assert crossings == set()


def test_the_database_is_used_below_the_interface_and_by_its_processes_only() -> None:
    allowed = {"interface.bootstrap", "interface.runtime"}
    for file in sources("interface"):
        if is_within(module_name(file), allowed):
            continue
        assert not any(
            is_within(module, {"psycopg", "psycopg_pool"}) for module in imports(file)
        ), file
        texts = [
            node.value
            for node in ast.walk(tree(file))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        assert not any(SQL.match(text) for text in texts), file


def test_requests_to_other_servers_leave_from_one_place_only() -> None:
    to_our_own = {"interface.runtime.readiness_probe", "interface.patroni"}
    users = {
        module_name(file)
        for folder in FOLDERS
        for file in sources(folder)
        if any(is_within(m, {"http.client", "urllib.request"}) for m in imports(file))
    }
    assert users - to_our_own == {"interface.outgoing.http_client"}


def names_set_on_the_request(file: Path) -> Iterator[str]:
    """Attributes of `flask.g` that a file assigns; any other use of it than reading is named."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("g", "flask.g"):
            if isinstance(node.ctx, ast.Store | ast.Del):
                yield node.attr
            elif node.attr in ("pop", "setdefault", "__dict__"):
                yield ast.unparse(node)
        if isinstance(node, ast.Call) and re.match(
            r"(setattr|vars)\((flask\.)?g\b", ast.unparse(node)
        ):
            yield ast.unparse(node)


def test_a_request_carries_its_caller_and_session_and_nothing_else() -> None:
    names = {name for file in sources("interface") for name in names_set_on_the_request(file)}
    assert names == {"session"}
    of_the_request = {"began", "environ", "extensions", "id", "parsed", "refused_by", "rule"}
    where_it_reads = {"database", "reads_newest"}
    others = {"caller", "services", "_token"}
    assert set(CurrentRequest.__slots__) == {*of_the_request, *where_it_reads, *others}


def test_the_top_level_holds_only_what_was_agreed() -> None:
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().split()}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    found = {name for name in found if not any(fnmatch(name, pattern) for pattern in ignored)}
    assert found == TOP_LEVEL


def test_every_projection_and_every_reaction_is_listed_once() -> None:
    for module in pkgutil.walk_packages(projections.__path__, "projections."):
        importlib.import_module(module.name)
    ours = [
        kind
        for kind in Projection.__subclasses__()
        if kind.__module__.partition(".")[0] == "projections"
    ]
    assert {type(projection) for projection in CATALOGUE} == set(ours) - {Reaction}
    assert len({projection.name for projection in CATALOGUE}) == len(CATALOGUE)
    assert {type(reaction) for reaction in REACTIONS} == set(Reaction.__subclasses__())
    assert len({follower.name for follower in FOLLOWERS}) == len(FOLLOWERS)


def test_every_setting_is_documented_and_every_documented_setting_is_read() -> None:
    documented = set(re.findall(rf"`({PREFIX}\w+)`", (ROOT / "README.md").read_text()))
    assert documented == variables()
