"""Some rounds of the differential fuzzer (fuzz/run.py says what it is and how to run it by hand).

PGMEMO_FUZZ_SECONDS: how long, 60 unless it says otherwise; PGMEMO_FUZZ_SEED: the first seed.
"""
import os

import conftest
import pytest
from fuzz.run import fuzz
from fuzz.shrink import shrink

SECONDS = float(os.environ.get("PGMEMO_FUZZ_SECONDS", "60"))
conftest.TEST_SECONDS = max(conftest.TEST_SECONDS, SECONDS * 4 + 300)  # with the shrinking


def test_what_pgmemo_answers_is_what_postgres_would():
    report = fuzz(int(os.environ.get("PGMEMO_FUZZ_SEED", "1")), seconds=SECONDS, log=print)
    assert report.difference is None, report.difference
    assert report.decisions["hit"] > 100, f"it hardly tests hits:\n{report}"
    if SECONDS >= 300:
        assert report.ratio > 0.5, f"it hardly tests hits:\n{report}"


@pytest.mark.parametrize("needed", [{3}, {3, 17}, {0, 49}, set(range(10, 14))])
def test_a_failing_script_is_made_short(needed):
    steps = list(range(50))
    assert set(shrink(steps, lambda some: needed <= set(some), 10)) == needed
