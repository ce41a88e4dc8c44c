"""What numbers live in: variables, workspaces, panels, sparse rows."""
