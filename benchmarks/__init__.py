"""What is measured, never asserted: ``python -m benchmarks``. Each module says what it starts."""

import sys
from pathlib import Path

# The programs that tests start, benchmarks start the same way.
sys.path.append(str(Path(__file__).parent.parent / "tests"))
