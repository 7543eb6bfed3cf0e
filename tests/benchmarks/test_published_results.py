"""The README and the chart show the published results, and nothing else."""

from tests.benchmarks import cells, chart, readme, report
from tests.benchmarks.cells import Quarter
from tests.benchmarks.results_file import CHART, PUBLISHED, README, ROOT, load

GROWTH = ROOT / "interface" / "deployment" / "GROWTH.md"
HOW = "run `make bench ARGS=--publish`, or undo what was changed by hand"


def test_the_figures_of_the_readme_are_those_of_the_results() -> None:
    assert readme.section(load(PUBLISHED)) in README.read_text(), HOW


def test_the_figures_of_a_long_log_are_those_of_the_results() -> None:
    size, text = load(PUBLISHED)["size"], GROWTH.read_text()
    assert "\n".join(report.size_table(size)) in text
    assert report.size_sentences(size) in " ".join(text.split())


def test_the_figures_of_cells_are_those_of_the_results() -> None:
    found = [Quarter(**each) for each in load(PUBLISHED)["cells"]["quarters"]]
    text = GROWTH.read_text()
    assert "\n".join(cells.table(found)) in text
    assert max(each.busiest_owner / each.mean for each in found) < 2 / 5
    assert "needs up to two fifths of one." in text


def test_the_chart_is_drawn_from_the_results() -> None:
    assert (PUBLISHED / CHART).read_text() == chart.svg(load(PUBLISHED)["http"]), HOW
