"""Seeds and tokens become hostile inputs: cut, joined, repeated and spoilt. Reads the corpus."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from fuzz.targets import TARGETS, Target

CORPUS = Path(__file__).parent / "corpus"


def corpus(name: str) -> list[bytes]:
    """What is kept of earlier runs: the inputs that once broke something, and a few that go deep."""
    return [file.read_bytes() for file in sorted((CORPUS / name).glob("*"))]


def inputs(name: str) -> st.SearchStrategy[bytes]:
    """Pieces of what is known to get through, with what means something between them."""
    target = TARGETS[name]
    known = [*target.seeds, *corpus(name)]
    whole = st.sampled_from(known)
    piece = st.tuples(whole, st.integers(0, 200), st.integers(0, 60)).map(lambda cut: cut[0][cut[1] : cut[1] + cut[2]])
    part = st.one_of(whole, piece, st.sampled_from(target.tokens), st.binary(max_size=8))
    return st.one_of(st.lists(part, max_size=12).map(b"".join), st.builds(_spoil, whole, st.integers(0), part))


def _spoil(text: bytes, at: int, with_: bytes) -> bytes:
    at %= len(text) + 1
    return text[:at] + with_ + text[at + len(with_) // 2 :]


def long_inputs(target: Target) -> list[bytes]:
    """What takes for ever where time grows faster than length: much of each token, alone and amid a seed."""
    texts = []
    for token in target.tokens:
        many = token * (target.longest // len(token))
        texts += [many, *(seed[: len(seed) // 2] + many + seed[len(seed) // 2 :] for seed in target.seeds)]
    return texts
