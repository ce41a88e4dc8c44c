"""Containers for numbers: variables, workspaces, panels, dense and sparse rows."""
