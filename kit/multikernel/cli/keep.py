"""What `mkit boot --keep DIR` leaves behind: the run, to look at or to repeat.

    board.yaml       the board, resolved: overlays applied, nothing left to look up; none of a blueprint booted
    blueprint.json   what was bound
    events.jsonl     every event, one JSON object a line, as it happened

The platform may leave files of its own beside them.

May not know: platforms.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from multikernel.blueprint import Blueprint
from multikernel.board import Board
from multikernel.errors import FileError
from multikernel.events import Event


class Keep:
    """See the module.  Raises FileError for a folder that cannot be written."""

    def __init__(self, folder: str, board: Board | None, blueprint: Blueprint) -> None:
        import yaml

        path = Path(folder)
        try:
            path.mkdir(parents=True, exist_ok=True)
            if board is not None:
                content = board.model_dump(mode="json", by_alias=True, exclude_none=True)
                (path / "board.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
            (path / "blueprint.json").write_text(blueprint.to_json(), encoding="utf-8")
            self._events = (path / "events.jsonl").open("w", encoding="utf-8")
        except OSError as error:
            raise FileError(f"{error.filename}: {error.strerror}", code="not-writable") from None

    def event(self, event: Event) -> None:
        """One more event."""
        json.dump({"event": type(event).__name__, **asdict(event)}, self._events)
        self._events.write("\n")

    def close(self) -> None:
        """Nothing more comes."""
        self._events.close()
