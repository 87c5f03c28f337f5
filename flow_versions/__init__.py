"""The flows that are walked: those that ship, and above them what admins published.

The pipeline holds the version that an open session began with, so that no customer is moved into another
flow's steps in the middle of a question. A draft is walked by the simulated number that tries it, and by no
other. Verbs flush and never commit.
"""

from flow_versions.drafts import (
    FlowRefused,
    begin,
    draft_of,
    drop_draft,
    go_back,
    hold_drafts,
    publish,
    save_draft,
    source_of,
    text_of,
    try_with,
    versions_of,
)
from flow_versions.walked import flows, forget, hold, look, version_of

__all__ = [
    "FlowRefused",
    "begin",
    "draft_of",
    "drop_draft",
    "flows",
    "forget",
    "go_back",
    "hold",
    "hold_drafts",
    "look",
    "publish",
    "save_draft",
    "source_of",
    "text_of",
    "try_with",
    "version_of",
    "versions_of",
]
