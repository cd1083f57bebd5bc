"""What a page of the office keeps of what it hears: where everybody is, who is near, the talk."""

from __future__ import annotations

import json

from tests.visitor import Visitor

Point = tuple[int, int]


class Page:
    """Complains of whatever a page could make no sense of."""

    def __init__(self, visitor: Visitor, name: str) -> None:
        self.visitor = visitor
        self.name = name
        self.seen: dict[str, Point] = {}
        self.near: dict[str, str] = {}
        self.talk: list[int] = []

    def listen(self) -> None:
        for message in self.visitor.take():
            data = json.loads(message["data"]) if isinstance(message["data"], str) else {}
            match message["event"]:
                case "client-move":
                    self.seen[message["user_id"]] = (data["x"], data["y"])
                case "client-talk":
                    self.talk.append(data)
                case "client-nearby":
                    assert data["user_id"] not in self.near
                    self.near[data["user_id"]] = data["caller"]
                case "client-away":
                    del self.near[data["user_id"]]
                case "pusher_internal:member_removed":
                    assert data["user_id"] not in self.near
                    self.seen.pop(data["user_id"], None)
                case "client-hello":
                    pass
                case "pusher_internal:member_added" | "pusher_internal:subscription_succeeded":
                    pass
                case other:
                    raise AssertionError(other)
