"""The deliberate faults of `make mutants` still fit the code."""

import ast

import pytest

from tests.mutants.catalogue import MUTANTS, ROOT, Mutant

AT_LEAST = 40


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.fault.replace(" ", "-"))
def test_the_place_of_every_fault_is_found_once_and_its_tests_exist(mutant: Mutant) -> None:
    if mutant.file.endswith(".py"):
        ast.parse(mutant.planted())
    assert mutant.before != mutant.after
    assert [test for test in mutant.tests if not (ROOT / test).exists()] == []


def test_there_are_many_faults_and_none_twice() -> None:
    assert len({mutant.fault for mutant in MUTANTS}) == len(MUTANTS) >= AT_LEAST
