"""Renews `goldens.json`: `python tests/determinism/regenerate.py`.

To be run when what is simulated has changed on purpose, and committed with that change.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.determinism.runs import GOLDENS, RUNS, digest, name

if __name__ == "__main__":
    found = {name(*run): digest(*run) for run in RUNS}
    GOLDENS.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{len(found)} digests in {GOLDENS.name}")
