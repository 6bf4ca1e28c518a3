"""A million calls through the daemon, on the simulator: whether anything in it grows."""
