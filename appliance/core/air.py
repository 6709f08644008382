"""The compiler of the air ledger (播出账)."""

from typing import Final

SLATE: Final = "sha256:ce52e7ea6f314d490816b99d37d0cac97464732b30e1a94eb476730ff61a3fbe"
"""The built-in slate, `appliance/slate/slate.ts`: one segment."""
