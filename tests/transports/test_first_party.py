"""The conformance suite on the kit's own transports, over lines and over devices."""

from __future__ import annotations

from mk_dma.transport import Dma
from mk_mailbox.transport import Mailbox
from mk_ncring.transport import NonCoherentRing
from mk_ump.transport import Ump
from multikernel.testing.devices import DmaMemory, MailboxMemory
from multikernel.testing.transports import TransportConformance
from tests.transports.device_boards import dma_board, mailbox_board


class TestUmp(TransportConformance):
    factory = Ump
    name = "ump"


class TestNonCoherentRing(TransportConformance):
    factory = NonCoherentRing
    name = "ncring"
    non_coherent = True
    board = "extends: zcu102\nname: conformance\n"


class TestDma(TransportConformance):
    factory = Dma
    name = "dma"
    board = dma_board()
    non_coherent = True
    over = DmaMemory


class TestMailbox(TransportConformance):
    factory = Mailbox
    name = "mailbox"
    board = mailbox_board()
    over = MailboxMemory
