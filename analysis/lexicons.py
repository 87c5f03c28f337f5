"""The packaged data files of this package, read once and kept.

Called by the readers of `analysis`. It reads nothing but files beside it and knows no label.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent / "data"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def load(name: str, language: str | None = None) -> Any:
    """

    ead `data/<language>/<name>.yaml`, or the shared `data/<name>.yaml`; an absent file is an empty table.
    """
    folder = DATA / language if language else DATA
    path = folder / f"{name}.yaml"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8") as stream:
        return yaml.load(stream, Loader=_Loader) or {}
