"""Compares a documented answer with a real one: all of it, except what differs with every run.

An id, a time, a token, a key or a signature must be of the same form; anything else the same.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

_VOLATILE = (
    (re.compile(r"\b([a-z]{2,5})_[0-9a-f]{28}\b"), r"<\1 id>"),
    (re.compile(r"\b(PK_LIVE|SK)_[0-9a-f]{48}\b"), r"<\1>"),
    (re.compile(r"\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]{43}(?![\w-])"), "<token>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "<time>"),
    (re.compile(r"\b(Y3JlYXRlZEF0L|YW1vdW50L)[\w-]{40,}"), r"<cursor \1>"),
    (re.compile(r"\b[a-z]+-\d{10}@"), "<name>@"),
    (re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])"), "<digest>"),
    (re.compile(r"^([a-z_]+\{[^}]*\}) \d+\.\d+$", re.MULTILINE), r"\1 <figure>"),
)

_IDENTITY = re.compile(r"\b(?:user|txn|evt)_[0-9a-f]{28}\b")


def template(text: str) -> str:
    """``text`` with everything volatile replaced by the name of its form."""
    for pattern, name in _VOLATILE:
        text = pattern.sub(name, text)
    return text


def differences(shown: str, real: str, language: str) -> list[str]:
    """What is not as documented, one line each; empty when it is."""
    if language == "json":
        return list(_differences(json.loads(shown), json.loads(real), "$"))
    expected, actual = template(shown).strip(), template(real).strip()
    return [] if expected == actual else [f"documented:\n{expected}\nreal:\n{actual}"]


def confusions(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Ids shown as one and the same that were not, and ids shown as several that were one.

    Each pair is a documented answer and the real one, in the order of the session.
    """
    real_of: dict[str, str] = {}
    shown_of: dict[str, str] = {}
    found = []
    for shown, real in pairs:
        for documented, came in zip(_IDENTITY.findall(shown), _IDENTITY.findall(real), strict=False):
            expected = real_of.setdefault(documented, came)
            if (expected, shown_of.setdefault(came, documented)) != (came, documented):
                found.append(f"{documented} is not always what came as {came}")
    return found


def _differences(shown: Any, real: Any, path: str) -> list[str]:
    if isinstance(shown, dict) and isinstance(real, dict):
        return _object_differences(shown, real, path)
    if isinstance(shown, list) and isinstance(real, list):
        if len(shown) != len(real):
            return [f"{path}: {len(shown)} items are documented, {len(real)} came"]
        pairs = enumerate(zip(shown, real, strict=True))
        return [line for i, (a, b) in pairs for line in _differences(a, b, f"{path}[{i}]")]
    if isinstance(shown, str) and isinstance(real, str):
        shown, real = template(shown), template(real)
    # 1 == True and 1 == 1.0 in Python; to a client of the API they are not the same.
    same = type(shown) is type(real) and shown == real
    return [] if same else [f"{path}: {shown!r} is documented, {real!r} came"]


def _object_differences(shown: dict[str, Any], real: dict[str, Any], path: str) -> list[str]:
    missing = [f"{path}.{name}: documented, but did not come" for name in shown.keys() - real.keys()]
    extra = [f"{path}.{name}: came, but is not documented" for name in real.keys() - shown.keys()]
    common = [name for name in shown if name in real]
    inside = [line for n in common for line in _differences(shown[n], real[n], f"{path}.{n}")]
    return [*missing, *extra, *inside]
