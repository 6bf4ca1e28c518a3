"""Explains the decision on a hypothetical call, by a providers file or by the running bridge."""
