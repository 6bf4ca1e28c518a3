"""What would become of a call that nobody makes: by a providers file, or by the running bridge."""
