"""Every code a board diagnostic may carry, and what it means: the table behind `mkit explain CODE`.

    CODES[code] -> explanation

May not know: who raises them.
"""

from __future__ import annotations

CODES: dict[str, str] = {
    # files
    "board-unknown": "No board of this name: not a file, not under ./boards, not packaged, not from a plugin.",
    "file-missing": "The file does not exist.",
    "file-directory": "The path names a directory; a board is one YAML file.",
    "file-permission": "The file may not be read by this user.",
    "file-unreadable": "Reading the file failed; the message says how.",
    # syntax: the first mistake ends the reading
    "yaml-encoding": "A board is UTF-8 text without control characters; a byte-order mark is accepted.",
    "yaml-size": "A board file is at most 4 MB.",
    "yaml-empty": "The file holds no document; a board starts with `schema: board/1`.",
    "yaml-not-mapping": "The top of a board is a mapping of sections.",
    "yaml-syntax": "The text is not YAML; the message is the parser's.",
    "yaml-tab": "YAML is indented by spaces; a tab stands where indentation or a value begins.",
    "yaml-depth": "Sections nest at most 64 deep.",
    "yaml-alias": "Anchors, aliases and merge keys are refused: write the value out, or use `extends`.",
    "yaml-tag": "Explicit tags (`!!int`, `!x`) are refused.",
    "yaml-key": "A key is plain or quoted text, not a list or a mapping.",
    "yaml-duplicate-key": "A key stands twice in one mapping; only one value can hold.",
    "yaml-documents": "A file holds one document; a second one begins here.",
    "extends-cycle": "A board extends itself, directly or through others.",
    "extends-deep": "A chain of `extends` is at most 16 long.",
    "extends-unknown": "A board named under `extends` is not there.",
    # shape: all at once
    "unknown-key": "The section has no such key.",
    "missing-key": "The section lacks a key it must have.",
    "wrong-type": "The value is of another type than the key takes.",
    "wrong-value": "The value is not one of those the key takes.",
    "out-of-range": "The number is outside the range the key takes.",
    "too-short": "The list, mapping or text is shorter than the key takes.",
    "bad-name": "A name is letters, digits, `_`, `.`, `+`, `-`, and starts with a letter or digit.",
    "bad-size": "A size is bytes (`4096`, `0x1000`) or has a unit of 1024s: K, M, G, T.",
    "bad-clock": "A clock is MHz (`2000`) or has its unit (`2.0 GHz`, `500 MHz`).",
    "bad-ids": "A set of cores is an id, ranges (`0-3,8`) or a list of these; ids reach 65535, each once.",
    "bad-value": "The value does not fit; the message says why.",
    # references: all at once
    "unknown-kind": "A core is of a kind that `kinds` does not define.",
    "unknown-core": "A core id that no row of `cores` defines.",
    "unknown-node": "A node id that `nodes` does not define.",
    "unknown-region": "A region that `regions` does not define.",
    "unknown-space": "A space that `spaces` does not define.",
    "unknown-device": "A device that `devices` does not define.",
    "unknown-target": "A map reaches something that is no region, device or space.",
    "unknown-end": "A link ends at something that is no `node<id>` or device.",
    "unknown-class": "A pair class that no pair of this board's cores is in.",
    "duplicate-id": "Two rows of a section carry one id.",
    "name-clash": "Regions, devices and spaces share their names, since a map may reach any; `phys` is always a space.",
    "core-twice": "Two rows of `cores` define one core.",
    "core-in-two-islands": "A core is in two coherence islands; a cache is in one.",
    "core-in-two-nodes": "A core is in two nodes.",
    "core-in-two-sets": "A core is in two sets of one level of `groups`.",
    "island-unseen-region": "An island is coherent over a region that none of its cores can address.",
    "boot-core": "At most one core starts by `boot`, and that core must not be one that fails.",
    "region-overlap": "Two regions share addresses of the space `phys`.",
    "region-unplaced": "A region has no `base` and no space maps it: no core could address it.",
    "region-node": "A region's `node` and the node that lists it differ.",
    "map-overlap": "Two maps of one space take the same addresses.",
    "map-outside": "A map reaches past the end of its region, or lies past the space's addresses.",
    "space-cycle": "A space leads back to itself through overlays or maps.",
    "space-deep": "An address goes through at most 64 spaces.",
    "matrix-shape": "A distance matrix has one row and one column for each of its `ids`.",
    "matrix-negative": "A distance is negative.",
}
