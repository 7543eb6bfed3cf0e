"""The results that are published with the code, and what is made from them."""

import json
from pathlib import Path
from typing import Any

from tests.benchmarks import chart, readme

ROOT = Path(__file__).parent.parent.parent
PUBLISHED = Path(__file__).parent / "results"
README = ROOT / "README.md"
RESULTS, CHART = "results.json", "pairs.svg"


def load(folder: Path) -> dict[str, Any]:
    """Returns the results in a folder by part; none if there is no file yet."""
    file = folder / RESULTS
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return results


def save(folder: Path, measured: dict[str, Any]) -> None:
    """Writes results and chart. Parts that were not measured this time stay as they were."""
    folder.mkdir(parents=True, exist_ok=True)
    results = load(folder) | rounded(measured)
    (folder / RESULTS).write_text(json.dumps(results, indent=1) + "\n")
    if "http" in results:
        (folder / CHART).write_text(chart.svg(results["http"]))


def update_readme() -> None:
    """Writes the published figures into the README."""
    README.write_text(readme.with_section(README.read_text(), load(PUBLISHED)))


def rounded(value: Any) -> Any:
    """Returns nested results with four digits of each number that is not whole."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
