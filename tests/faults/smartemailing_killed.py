"""A `batchpub` that dies by SIGKILL when it is about to run the n-th line of the push's own code.

    python smartemailing_killed.py N ARGUMENT…

With n = 0 it lives, and prints how many lines there were as its last line on stderr.
"""

from __future__ import annotations

import sys

from executioner import Executioner

from pipeline.cli.app import run

ROOMS = ("deliver/journal.py", "deliver/smartemailing", "delivery", "publish.py")

if __name__ == "__main__":
    executioner = Executioner(ROOMS, int(sys.argv[1]))
    sys.settrace(executioner)
    code = run(sys.argv[2:])
    sys.settrace(None)
    print(executioner.events, file=sys.stderr)
    sys.exit(code)
