"""No test judges by the clock: a slow machine, or one that does other things, is no error."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
# What measures time, and what lets it pass.
CLOCK = re.compile(
    r"perf_counter|process_time|\bmonotonic\(|\btime\.time\(|performance\.now|Date\.now"
    r"|\bsleep\((?!0\))|wait_for_timeout|setTimeout|\btimeout=\s*\d"
)
ALLOWED = {
    "patience.py": "time.monotonic()",  # minutes, after which something hangs
    "test_sharing.py": "def monotonic(self)",  # a clock that is moved by hand
    "test_turns.py": "def monotonic(self)",  # as well
    "test_workers.py": "def monotonic(self)",
}


def test_no_test_looks_at_the_clock():
    found = [
        f"{path.name}: {line.strip()}"
        for path in sorted(TESTS.glob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if path != Path(__file__) and CLOCK.search(line)
        if ALLOWED.get(path.name, "\n") not in line
    ]
    assert found == []
