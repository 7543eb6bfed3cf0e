"""The README and the chart show the published results, and nothing else."""

from tests.benchmarks import chart, readme, report
from tests.benchmarks.results_file import CHART, PUBLISHED, README, ROOT, load

HOW = "run `make bench ARGS=--publish`, or undo what was changed by hand"


def test_the_figures_of_the_readme_are_those_of_the_results() -> None:
    assert readme.section(load(PUBLISHED)) in README.read_text(), HOW


def test_the_figures_of_a_long_log_are_those_of_the_results() -> None:
    figures = "\n".join(report.size_table(load(PUBLISHED)["size"]))
    assert figures in (ROOT / "interface" / "deployment" / "GROWTH.md").read_text()


def test_the_chart_is_drawn_from_the_results() -> None:
    assert (PUBLISHED / CHART).read_text() == chart.svg(load(PUBLISHED)["http"]), HOW
