"""No content of a providers file makes loading raise."""

from __future__ import annotations

import json

from config_examples import GOOD, edited
from hypothesis import given, settings
from hypothesis import strategies as st

from sipbridge.config.load import parse_providers


@settings(deadline=None)
@given(st.text() | st.binary())
def test_no_content_makes_it_raise(content: str | bytes) -> None:
    result = parse_providers(content, "p.json")
    assert result.config is None
    assert result.errors


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats()
    | st.sampled_from(["", "uri", "sip:a@b", "{from}", "Always"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["strategy", "uri", "loader"]), inner),
    max_leaves=6,
)
PATHS = [
    path
    for root in [json.loads(GOOD)]
    for path in [
        (),
        *((key,) for key in root),
        *(("providers", i, *rest) for i in (0, 1) for rest in [(), *((k,) for k in root["providers"][i])]),
        *(
            ("providers", i, k, n)
            for i in (0, 1)
            for k, v in root["providers"][i].items()
            if isinstance(v, dict)
            for n in v
        ),
        *(("accountPools", p, *rest) for p, v in root["accountPools"].items() for rest in [(), *((k,) for k in v)]),
        *(("accountPools", "lines", "loader", 0, *rest) for rest in [(), ("uri",), ("secretType",), ("secret",)]),
        *(("accountPools", "people", "loader", k) for k in root["accountPools"]["people"]["loader"]),
    ]
]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(PATHS), JSON_VALUES, max_size=4))
def test_no_value_anywhere_makes_it_raise(replacements: dict[tuple[str | int, ...], object]) -> None:
    root = json.loads(GOOD)
    for path, value in sorted(replacements.items(), key=lambda item: -len(item[0])):
        if not path:
            root = value
            break
        holder = root
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = value
    result = parse_providers(json.dumps(root), "p.json")
    assert (result.config is None) == bool(result.errors)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*'[](){}+*?.\\^$|:=!<>-,0129aszé\u00a0"', "[:digit:]", "\\\\", "[."]), max_size=12).map(
        "".join
    )
)
def test_no_pattern_makes_it_raise(pattern: str) -> None:
    text = edited((r'"sip:\\+33.*"', json.dumps(pattern)))
    result = parse_providers(text, "p.json")
    assert (result.config is None) == bool(result.errors)
