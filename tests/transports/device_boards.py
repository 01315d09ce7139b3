"""Boards of two pairs of cores without common memory: what is between the pairs is a device.

Cores 0 and 3 are the host's, 1 and 2 those of the device's side; of the host's memory a DMA engine reaches `low`.
"""

from __future__ import annotations

HOST, FAR = 0, 1
"""The least core of each pair."""
MEMORY = 64 << 20
"""Bytes each pair has; the second's begin here."""
LOW = 128 << 20
"""Where the host's memory begins that the engine reaches, and its size in bytes is `LOW_SIZE`."""
LOW_SIZE = 2 << 20
REGISTERS = 256 << 20

MAILBOX = """\
  - {src: [0, 3], dst: 1-2, via: mailbox, device: box, slots: 1, bytes: 32}
  - {src: 1-2, dst: [0, 3], via: mailbox, device: box, slots: 4, bytes: 4}
"""
"""One way as the Zynq UltraScale+ has it, the other as OMAP parts do."""
INTERRUPTS = """\
  - {src: [0, 3], dst: 1-2, via: doorbell}
  - {src: 1-2, dst: [0, 3], via: msi}
"""


def two_pairs(name: str, device: str, notify: str, more: str = "") -> str:
    """The board file; `device` are the keys of device `box`, `notify` the rows between the pairs."""
    return f"""\
schema: board/1
name: {name}
summary: Two pairs of cores without common memory.
provenance: [{{source: example, note: made up}}]
kinds: {{small: {{isa: x86-64, mhz: 2.0 GHz}}}}
cores:
  - {{ids: 0, kind: small, space: left, start: boot}}
  - {{ids: 3, kind: small, space: left, start: sipi}}
  - {{ids: 1-2, kind: small, space: right, start: sipi}}
nodes: [{{id: 0, cores: [0, 3], regions: [near, low]}}, {{id: 1, cores: 1-2, regions: [far]}}]
regions: [{{id: near, size: 64M}}, {{id: far, size: 64M}}, {{id: low, size: 2M}}]
devices: [{{id: box, {device}}}]
spaces:
  phys:
    maps:
      - {{base: 0, size: 64M, to: near}}
      - {{base: 64M, size: 64M, to: far}}
      - {{base: 128M, size: 2M, to: low}}
      - {{base: 256M, size: 64K, to: box, cacheable: false}}
  left:
    maps:
      - {{base: 0, size: 64M, to: near}}
      - {{base: 128M, size: 2M, to: low}}
      - {{base: 256M, size: 64K, to: box, cacheable: false}}
  right:
    maps: [{{base: 0, size: 64M, to: far}}, {{base: 256M, size: 64K, to: box, cacheable: false}}]
  engine:
    maps: [{{base: 0, size: 2M, to: low}}, {{base: 64M, size: 64M, to: far}}]
coherence:
  - {{cores: [0, 3], regions: [near, low], line: 64, protocol: directory}}
  - {{cores: 1-2, regions: [far], line: 64, protocol: directory}}
notify:
  - {{src: [0, 3], dst: [0, 3], via: ipi}}
  - {{src: 1-2, dst: 1-2, via: ipi}}
{notify}\
latency:
  method: made up
  classes:
    - {{cls: "hops:0", mean: 300, sd: 0, status: assumed, source: example}}
    - {{cls: "island:remote", mean: 600, sd: 0, status: assumed, source: example}}
{more}"""


def mailbox_board() -> str:
    """Pairs joined by a mailbox."""
    return two_pairs("mail", "cls: mailbox", MAILBOX)


def dma_board(more: str = "", channels: int = 4) -> str:
    """Pairs joined by a DMA engine of the second pair's."""
    return two_pairs("copier", f"cls: dma, dma_space: engine, channels: {channels}, cores: 1-2", INTERRUPTS, more)
