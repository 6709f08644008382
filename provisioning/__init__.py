"""The hub operator's side: the hub itself, enrolment of sites, and what a new machine needs."""
