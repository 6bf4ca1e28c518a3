"""Calls through a real FreeSWITCH for as long as one likes, while this and that breaks; the far side counts."""
