"""Run every benchmark of this folder, each in a process of its own, and print the line of JSON that it ends with."""

import subprocess
import sys
from pathlib import Path

_NOT_A_BENCHMARK = {
    "__init__",
    "__main__",
    "bare_consumer",
    "breaking",
    "echo",
    "fans",
    "hammer",
    "harness",
    "injecting",
    "serving",
    "soak",
    "teller",
}


def main() -> int:
    """Return how many benchmarks failed."""
    failed = 0
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem in _NOT_A_BENCHMARK:
            continue
        run = subprocess.run(
            [sys.executable, "-m", f"tests.benchmarks.{path.stem}"], stdout=subprocess.PIPE, text=True, check=False
        )
        lines = run.stdout.strip().splitlines()
        if run.returncode or not lines:
            failed += 1
            print(f"{path.stem} failed with code {run.returncode}", file=sys.stderr)
            continue
        print(lines[-1], flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
