"""PURE: what the screens say. A module per page, from what `tui.gather` found to a sheet; begin at `tui.view.sheet`."""
