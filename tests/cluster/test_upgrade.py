"""A release that changes a view is brought out host by host while people book."""

import shutil
from pathlib import Path

from projections.views import calendar_list
from tests.cluster.cluster import Cluster
from tests.cluster.drill import all_is_right, drill
from tests.cluster.hosts import Hosts

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "application", "projections", "interface")
NEXT = "calendar_list_v9"


def next_release(folder: Path) -> Path:
    """Returns a folder with the code of a release in which a view has another version."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", folder)  # which names the version
    file = folder / "projections" / "views" / "calendar_list.py"
    text = file.read_text()
    assert text.count(calendar_list.NAME) == 1
    file.write_text(text.replace(calendar_list.NAME, NEXT))
    return folder


def test_a_rolling_upgrade_across_a_change_of_views(
    cluster: Cluster, hosts: Hosts, tmp_path: Path
) -> None:
    code = next_release(tmp_path / "next release")
    with drill(cluster, hosts, tmp_path) as running:
        hosts.run_code_of(code)
        hosts.command("schema", "apply")
        hosts.command("projections", "rebuild", "calendar_list")
        hosts.replace_everything()
        running.wait_for_progress()
        assert NEXT in hosts.command("projections", "status")
        hosts.run_code_of(None)
        hosts.replace_everything()  # and back, as when the new release is not liked
    all_is_right(running, "rolling upgrade across a change of views, and back")
