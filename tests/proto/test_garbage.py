"""Loading modules searches for no garbage, whatever comes of it; afterwards there is a search again."""

import gc

import pytest

from wand_proto import garbage


def test_nothing_is_searched_while_modules_load_and_all_of_it_is_left_out_later() -> None:
    before = gc.get_freeze_count()
    try:
        with garbage.unsearched():
            assert not gc.isenabled()
            made = [[] for _ in range(1000)]  # type: ignore[var-annotated]

        assert gc.isenabled()
        assert gc.get_freeze_count() >= before + len(made)
    finally:
        gc.unfreeze()


def test_a_module_that_does_not_load_leaves_the_search_as_it_was() -> None:
    try:
        with pytest.raises(ImportError), garbage.unsearched():
            raise ImportError("it is broken")

        assert gc.isenabled()
    finally:
        gc.unfreeze()
