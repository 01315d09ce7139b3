"""Consensus: a majority agrees on one log, whoever stops; nothing is stored, who starts anew joins as another."""

from collections.abc import Iterator

from mk_consensus.peer import Consensus
from multikernel.hookspecs import hookimpl
from multikernel.spec import ConsistencyProtocolSpec, ProtocolStep

multikernel_api = 1


@hookimpl
def consistency_protocols() -> Iterator[ConsistencyProtocolSpec]:
    yield ConsistencyProtocolSpec(
        "consensus",
        "Raft without storage: a majority of a few members agrees on one log.",
        factory=Consensus,
        replicates=("store", "log"),
        phases=(
            "submit",
            "redirect",
            "append",
            "appended",
            "rejected",
            "ask",
            "vote",
            "probe",
            "done",
            "denied",
            "join",
            "invite",
        ),
        timers=("patience", "election", "resend"),
        steps=(
            ProtocolStep("a core asks the leader it knows", ("submitted", "reconfigured"), "submit"),
            ProtocolStep("who does not lead names the leader", ("submit", "join"), "redirect"),
            ProtocolStep("a core that learns of a leader asks it", ("append", "redirect"), "submit"),
            ProtocolStep("the leader sends what it is asked for", ("submitted", "reconfigured", "submit"), "append"),
            ProtocolStep("a follower takes entries and acknowledges", ("append",), "appended"),
            ProtocolStep("a follower refuses entries that do not fit its log", ("append",), "rejected"),
            ProtocolStep("the leader goes back to where they do", ("rejected",), "append"),
            ProtocolStep("the leader has a majority: it carries out", ("appended", "submit", "submitted"), "execute"),
            ProtocolStep("the leader tells the commit", ("appended",), "append"),
            ProtocolStep("a follower hears of the commit: it carries out", ("append",), "execute"),
            ProtocolStep("a member answers its own request, carried out", ("executed", "append", "appended"), "answer"),
            ProtocolStep("the leader tells who is no member", ("executed", "appended", "submit"), "done"),
            ProtocolStep("the leader refuses a change of members", ("appended", "submit", "resend"), "denied"),
            ProtocolStep("the leader sends again to who is silent", ("resend", "patience"), "append"),
            ProtocolStep("a core asks again, or another member", ("patience",), "submit"),
            ProtocolStep("a follower asks a silent leader for news", ("election",), "probe"),
            ProtocolStep("a member stands for election", ("election",), "ask"),
            ProtocolStep("a peer votes, or refuses", ("ask",), "vote"),
            ProtocolStep("a candidate leads, and begins with an entry of its term", ("vote",), "append"),
            ProtocolStep(
                "a core that started anew asks to join", ("append", "submit", "submitted", "patience"), "join"
            ),
            ProtocolStep("the leader begins to remove it, or to add it", ("join",), "append"),
            ProtocolStep("the leader asks a core that is to be a member", ("reconfigured", "submit"), "invite"),
            ProtocolStep("a core says in which incarnation it is there", ("invite",), "join"),
            ProtocolStep("a core hears what came of its request", ("done",), "answer"),
            ProtocolStep("a core hears that it is refused", ("denied", "reconfigured", "append", "appended"), "refuse"),
        ),
        withstands=("stop", "drop", "duplicate", "restart"),
        members="few",
        order="linear",
        survives="minority",
        rank=60,
    )
