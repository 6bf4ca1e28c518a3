"""The terminal screens. Depends on snapshots only."""
