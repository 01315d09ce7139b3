"""First-party plugins, installed or not: what to install when a slot lacks one.

    known(kind, name)                   the plugin of that name
    lacking(kind, installed, serves)    what is not installed

`serves` is the instruction set of a CPU driver and the object of a protocol, empty elsewhere.  `extra` is what pip
needs besides the distribution.  A test holds the table to what the distribution registers.

May not know: boards, the SKB.
"""

from __future__ import annotations

from dataclasses import dataclass

KIT = "multikernel-kit"


@dataclass(frozen=True, slots=True)
class Offer:
    """A plugin that some distribution offers.  `kind` is the head of the slots it may fill."""

    kind: str
    name: str
    serves: str = ""
    extra: str = ""
    distribution: str = KIT

    @property
    def requirement(self) -> str:
        """What to give pip."""
        return f"{self.distribution}[{self.extra}]" if self.extra else self.distribution


OFFERS = (
    Offer("skb", "clingo", extra="clingo"),
    Offer("skb", "pydatalog"),
    Offer("skb", "sqlite"),
    Offer("cpu-driver", "accel"),
    Offer("cpu-driver", "armv7-r", "armv7-r"),
    Offer("cpu-driver", "armv8-a", "armv8-a"),
    Offer("cpu-driver", "x86-64", "x86-64"),
    Offer("monitor", "user-mode"),
    Offer("transport", "lmp"),
    Offer("transport", "ump"),
    Offer("transport", "dma"),
    Offer("transport", "ncring"),
    Offer("transport", "mailbox"),
    Offer("transport", "multi-hop"),
    Offer("consistency", "one-phase", "shootdown"),
    Offer("consistency", "two-phase", "reservation"),
)


def known(kind: str, name: str) -> Offer | None:
    """The plugin of that name, if some distribution is known to offer it."""
    return next((offer for offer in OFFERS if (offer.kind, offer.name) == (kind, name)), None)


def lacking(kind: str, installed: tuple[str, ...], serves: str = "") -> tuple[Offer, ...]:
    """What is known and not installed, of a kind; with `serves`, only what says so."""
    return tuple(
        offer for offer in OFFERS if offer.kind == kind and offer.name not in installed and serves in ("", offer.serves)
    )
