"""How the property tests of every folder run: however busy the machine is, time fails none of them."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A pause of the machine tells nothing of what is tested; the limit of time for each test ends what hangs.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
