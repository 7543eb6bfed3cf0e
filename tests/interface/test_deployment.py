"""The files for deployment name what exists, and are what the programs that read them expect."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from interface.cli.command_line import commands
from interface.settings import secret_variables, variables

FOLDER = Path(__file__).parents[2] / "interface" / "deployment"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
UNITS = sorted(FOLDER.glob("systemd/*.service"))
MANIFESTS = FOLDER / "kubernetes" / "admitone.yaml"
CONTAINERFILE = (FOLDER / "Containerfile").read_text()


def documents(file: Path) -> list[Any]:
    """The YAML documents of a file."""
    return list(yaml.safe_load_all(file.read_text()))


def pods() -> Iterator[Any]:
    """The specification of each kind of pod."""
    for document in documents(MANIFESTS):
        if (template := document.get("spec", {}).get("template")) is not None:
            yield template["spec"]


def containers(pod: Any) -> list[Any]:
    """The containers of a pod, first those that prepare it."""
    return [*pod.get("initContainers", ()), *pod["containers"]]


def started() -> Iterator[list[str]]:
    """The arguments of `admitone` in each file."""
    for unit in UNITS:
        (line,) = re.findall(r"^ExecStart=/opt/admitone/bin/admitone (.+)$", unit.read_text(), re.M)
        yield line.split()
    for pod in pods():
        yield from (container["args"] for container in containers(pod))
    yield from (
        re.findall(r"\w+", found) for found in re.findall(r"^CMD \[(.+)\]", CONTAINERFILE, re.M)
    )
    yield ["health"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_setting_that_is_named_exists(file: Path) -> None:
    named = set(re.findall(r"\bADMITONE_[A-Z_]*[A-Z]\b", file.read_text()))
    assert named <= variables() | secret_variables()


def test_every_command_that_is_run_exists() -> None:
    for arguments in started():
        command: click.Command | None = commands
        context = click.Context(commands)
        for name in (argument for argument in arguments if not argument.startswith("-")):
            assert isinstance(command, click.Group)
            command = command.get_command(context, name)
        assert command is not None
        options = {option for parameter in command.params for option in parameter.opts}
        assert {argument for argument in arguments if argument.startswith("-")} <= options


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_one_for_systemd(unit: Path, tmp_path: Path) -> None:
    installed = tmp_path / unit.name
    installed.write_text(unit.read_text().replace("/opt/admitone/bin/admitone", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(installed)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="HAProxy is not here")
def test_haproxy_reads_its_configuration() -> None:
    file = FOLDER / "cluster" / "haproxy.cfg"
    done = subprocess.run(["haproxy", "-c", "-f", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_pod_is_root_or_writes_outside_its_volumes() -> None:
    found = list(pods())
    assert len(found) == 4
    for pod in found:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        mounted = {volume["name"] for volume in pod["volumes"]}
        for container in containers(pod):
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert {mount["name"] for mount in container["volumeMounts"]} == mounted


def test_the_image_runs_as_an_ordinary_user_and_tells_its_health() -> None:
    lines = CONTAINERFILE.splitlines()
    assert "USER admitone" in lines
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    assert lines.index("USER admitone") < lines.index('ENTRYPOINT ["admitone"]')


def test_compose_waits_for_the_database_and_reads_secrets_from_files() -> None:
    (compose,) = documents(FOLDER / "compose.yaml")
    service = compose["services"]["admitone"]
    assert service["depends_on"]["database"]["condition"] == "service_healthy"
    assert service["build"]["dockerfile"] == "interface/deployment/Containerfile"
    used = {name for part in compose["services"].values() for name in part["secrets"]}
    assert used == set(compose["secrets"])


def test_patroni_confirms_only_what_a_standby_has() -> None:
    (node,) = documents(FOLDER / "cluster" / "patroni.yml")
    agreed = node["bootstrap"]["dcs"]
    assert (agreed["synchronous_mode"], agreed["synchronous_mode_strict"]) == ("quorum", True)
    assert agreed["loop_wait"] + 2 * agreed["retry_timeout"] <= agreed["ttl"]
    assert agreed["postgresql"]["parameters"]["wal_log_hints"] == "on"
