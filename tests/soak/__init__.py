"""Calls through a real FreeSWITCH for as long as one likes, while everything around breaks; the far side counts."""
