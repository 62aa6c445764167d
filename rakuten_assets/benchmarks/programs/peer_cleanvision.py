"""The peer that the integrity report is measured against: cleanvision, all its checks, on one folder.

`python -m rakuten_assets.benchmarks.programs.peer_cleanvision DIR --workers N` prints a JSON object with its issue
types. Install it with the extra `benchmarks`; nothing else of the project needs it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description="Run cleanvision's default checks on a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, required=True)
    options = parser.parse_args()
    from cleanvision import Imagelab

    lab = Imagelab(data_path=str(options.folder), verbose=False)
    lab.find_issues(n_jobs=options.workers, verbose=False)
    summary = lab.issue_summary
    found = dict(zip(summary["issue_type"], summary["num_images"].astype(int).tolist(), strict=True))
    json.dump({"images": len(lab.issues), "issues": found}, sys.stdout)


if __name__ == "__main__":
    main()
