"""What holds for the tests of every folder, whoever runs them on whatever machine."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A pause of the machine tells nothing of what is tested; the limit of time for each test ends what hangs.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# What is printed is compared as it is printed into a file.
for _name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"):
    os.environ.pop(_name, None)
