"""The conformance suite on the kit's own transports over lines."""

from __future__ import annotations

from mk_ncring.transport import NonCoherentRing
from mk_ump.transport import Ump
from multikernel.testing.transports import TransportConformance


class TestUmp(TransportConformance):
    factory = Ump
    name = "ump"


class TestNonCoherentRing(TransportConformance):
    factory = NonCoherentRing
    name = "ncring"
    non_coherent = True
    board = "extends: zcu102\nname: conformance\n"
