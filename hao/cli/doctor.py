"""``hao doctor``: what this machine has and lacks, with the one line that mends it.

Runs with a bare interpreter too, before anything is installed: ``python3 -m hao.cli.doctor``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hao.errors import MissingTool
from hao.toolchain import Check, package_checks, system_checks

_OPTIONAL = "optional"


def report(checks: Sequence[Check], quiet: bool) -> int:
    """Print one line a check and the mending lines; return the exit code (0, or that of ``MissingTool``).

    Args:
        checks: what was checked.
        quiet: print only what is missing.
    """
    missing = [check for check in checks if not check.found and _OPTIONAL not in check.needed_for]
    for check in checks:
        if not quiet or check in missing:
            mark = "ok  " if check.found else "MISS" if check in missing else "none"
            print(f"  {mark}  {check.name:<24} {check.detail}  [{check.needed_for}]")
    for mend in dict.fromkeys(check.mend for check in checks if not check.found):
        print(f"  mend with:  {mend}")
    if missing:
        print(f"hao doctor: {len(missing)} of {len(checks)} requirements are missing: " + ", ".join(check.name for check in missing))
        return MissingTool.exit_code
    if not quiet:
        print("hao doctor: everything that HAO needs is here")
    return 0


def before_install(tests: bool) -> int:
    """Check the system alone; the libraries that only the tests need count when ``tests`` is set."""
    return report([check for check in system_checks() if tests or not check.needed_for.startswith("cocotb")], quiet=True)


def doctor() -> int:
    """Check the system and the installed packages; return the exit code."""
    from hao.vendor.tools import vendor_checks

    return report([*system_checks(), *package_checks(), *vendor_checks()], quiet=False)


if __name__ == "__main__":
    sys.exit(before_install(tests="--tests" in sys.argv[1:]))
