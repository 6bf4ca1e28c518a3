"""Hostile bytes against every door of the bridge."""
