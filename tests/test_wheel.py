"""The wheel, installed elsewhere, compares regimens: literature and library travel inside it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
RUN = "import sys, pkpd; from pkpd.cli.app import run; print(pkpd.__file__); sys.exit(run(sys.argv[1:]))"


def test_the_wheel_compares_regimens_away_from_its_source(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    elsewhere = tmp_path / "elsewhere"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", str(elsewhere), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    given = ["compare", "pss_nct02464319", "--patients", "4", "--weeks", "4", "--draws", "0", "--out", "out"]
    found = subprocess.run(
        [sys.executable, "-c", RUN, *given],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(elsewhere)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(str(elsewhere))
    assert (tmp_path / "out" / "report.html").exists()
