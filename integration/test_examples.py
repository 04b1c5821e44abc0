"""What stands in examples/ works as it says."""
import subprocess
import sys

import pytest

import harness

EXAMPLES = harness.ROOT / "examples"


@pytest.mark.skipif(bool(harness.SANITIZER), reason="shows nothing more than other tests do")
@pytest.mark.parametrize("name", sorted(path.parent.name for path in EXAMPLES.glob("*/demo.py")))
def test_an_example_runs(name):
    done = subprocess.run([sys.executable, str(EXAMPLES / name / "demo.py")], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=110)
    print(done.stdout)
    assert done.returncode == 0 and done.stdout.endswith("done\n")


def test_the_configuration_is_good():
    code, said = harness.run_pgmemo("check", EXAMPLES / "pgmemo.yaml")
    assert code == 0, said
