"""The boards of these tests."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
CHAIN = str(HERE / "chain.yaml")
"""Four islands in a row: 0 - 1 - 2 - 3."""
CARDS = str(HERE / "cards.yaml")
"""Cores 0 and 1; cards 2, 3 and 4, 5, of which each sees a window of the host's and nothing of the other."""
HOPS = str(HERE / "hops.yaml")
"""The chain, joined first by memory, then by a mailbox, then by a DMA engine."""
