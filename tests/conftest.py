"""For all tests."""

from hypothesis import HealthCheck, settings

# How long a machine takes says nothing about the code: that is what the benches are for.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
