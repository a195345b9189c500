"""Each wrong cache of mutants.py is killed by the test it names: the proof that the proofs can fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import recado
from cache.mutants import MUTANTS

PRODUCT = Path(recado.__file__).parent
ROOT = Path(__file__).parents[2]
FAILED = 1
"""pytest's own word for it; it has others for tests that are not there or cannot be loaded."""
LIMIT_S = 120


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_every_mutant_can_be_made_of_the_product_as_it_is(mutant):
    for patch in mutant.patches:
        assert (PRODUCT / patch.file).read_text().count(patch.old) == 1, patch.file
    file, *_, test = mutant.killed_by.split("::")
    assert f"def {test}(" in (ROOT / file).read_text()


@pytest.mark.parametrize(
    "mutant",
    [pytest.param(each, id=each.name, marks=() if each.quick else pytest.mark.soak) for each in MUTANTS],
)
def test_every_mutant_is_killed_by_the_test_it_names(mutant, tmp_path):
    shutil.copytree(PRODUCT, tmp_path / "recado", ignore=shutil.ignore_patterns("webapp", "__pycache__"))
    for patch in mutant.patches:
        file = tmp_path / "recado" / patch.file
        file.write_text(file.read_text().replace(patch.old, patch.new))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "-k",
        mutant.database,
    ]
    killed = subprocess.run(
        [*command, f"--basetemp={tmp_path}/tests", mutant.killed_by],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert killed.returncode == FAILED, killed.stdout[-3000:]
    assert " error" not in killed.stdout.splitlines()[-1], killed.stdout[-3000:]
