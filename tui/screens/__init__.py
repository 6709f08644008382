"""The screens, one file each. A screen lays out panels; what they say is decided in tui.view."""
