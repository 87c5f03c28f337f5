"""What the engine does by itself: an action `done_by_flow` becomes one message.

`menu_flows` calls it while it walks. Pure.
"""

from collections.abc import Mapping
from typing import Any

from message_content import Content, LinkButton, Media, Text


def message_of(action: str, args: Mapping[str, Any]) -> Content | None:
    """Give the message of an action, None when what it needs is not set."""
    caption = str(args.get("caption") or "")
    if action == "send_picture":
        picture = args.get("picture") or 0
        return Media("image", file_id=picture, caption=caption) if picture > 0 else None
    url = str(args.get("url") or "")
    if not url.startswith(("https://", "http://")):
        return None
    if action == "send_link":
        return LinkButton(args["body"], args["title"], url)
    if url.startswith("https://"):
        return Media("document", link=url, caption=caption, filename=args["filename"])
    return Text(f"{caption}\n{url}".strip())
