"""Consensus, rule by rule: one peer, told by hand what others would tell it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mk_consensus.entries import ADD, NOTHING, REMOVE, REPLACE, VALUE, identity, unpacked
from mk_consensus.peer import Consensus
from mk_consensus.state import (
    APPEND,
    APPENDED,
    ASK,
    DENIED,
    DONE,
    ELECTION,
    INVITE,
    JOIN,
    PATIENCE,
    PROBE,
    REDIRECT,
    REJECTED,
    RESEND,
    SUBMIT,
    VOTE,
)
from multikernel.errors import PeerError
from multikernel.system.group import (
    ROOM,
    Answer,
    Arm,
    Elapsed,
    Execute,
    Executed,
    GroupEffect,
    GroupEvent,
    Heard,
    Peer,
    Reconfigured,
    Submitted,
    Tell,
    size,
)

LARGE = 2**64 - 1


class Bench:
    """A peer on a bench: `told` is what it said, by core and phase, since it was last asked for."""

    def __init__(self, core: int, members: int = 3, incarnation: int = 0) -> None:
        self.peer: Peer = Consensus().start(core, range(members), incarnation)

    def step(self, event: GroupEvent) -> list[GroupEffect]:
        """The effects, with those of what it carried out among them."""
        effects: list[GroupEffect] = []
        for effect in self.peer.step(event):
            effects.append(effect)
            if isinstance(effect, Execute):
                effects += self.step(Executed(effect.place, effect.place + 100))
        return effects

    def hear(self, source: int, phase: int, *numbers: int) -> list[GroupEffect]:
        return self.step(Heard(source, phase, numbers))

    def leads(self, term: int, voter: int) -> list[GroupEffect]:
        """Stand for election, with one vote besides its own."""
        while self.peer.role() != "candidate":
            self.step(Elapsed(ELECTION))
        return self.hear(voter, VOTE, term, 0, 0, 1)


def tells(effects: Sequence[GroupEffect], phase: int) -> list[Tell]:
    return [effect for effect in effects if isinstance(effect, Tell) and effect.phase == phase]


def executes(effects: Sequence[GroupEffect]) -> list[int]:
    return [effect.value for effect in effects if isinstance(effect, Execute)]


def answers(effects: Sequence[GroupEffect]) -> list[Answer]:
    return [effect for effect in effects if isinstance(effect, Answer)]


def entry(term: int, value: int, origin: int = 0, request: int = 1, kind: int = VALUE) -> tuple[int, int, int, int]:
    """An entry, as a message has it."""
    return term * 8 + kind, origin, request, value


def sent(effects: Sequence[GroupEffect]) -> list[int]:
    """The kinds of the entries that are sent."""
    return [found.kind for tell in tells(effects, APPEND) for found in unpacked(tell.numbers[4:])]


def test_the_first_member_leads_without_an_election() -> None:
    assert [Bench(core).peer.role() for core in range(4)] == ["leader", "follower", "follower", "client"]
    assert [Bench(core, incarnation=1).peer.role() for core in (0, 1, 3)] == ["joining", "joining", "client"]


def test_a_value_is_carried_out_when_a_majority_has_it() -> None:
    leader = Bench(0, members=5)
    assert executes(leader.step(Submitted(1, 7))) == []
    assert executes(leader.hear(1, APPENDED, 1, 0, 1)) == []
    assert executes(leader.hear(1, APPENDED, 1, 0, 1)) == []
    assert executes(leader.hear(2, APPENDED, 1, 0, 1)) == [7]
    assert executes(leader.hear(3, APPENDED, 1, 0, 1)) == []


def test_an_answer_is_given_when_the_value_is_carried_out_and_not_before() -> None:
    leader = Bench(0)
    assert answers(leader.step(Submitted(1, 7))) == []
    assert answers(leader.hear(2, APPENDED, 1, 0, 1)) == [Answer(1, 101)]


def test_a_member_alone_agrees_with_itself() -> None:
    assert answers(Bench(0, members=1).step(Submitted(1, 7))) == [Answer(1, 101)]


def test_an_earlier_incarnation_acknowledges_for_nobody() -> None:
    leader = Bench(0)
    leader.step(Submitted(1, 7))
    assert executes(leader.hear(1, APPENDED, 1, 1, 1)) == []
    assert executes(leader.hear(1, APPENDED, 1, 0, 1)) == [7]


def test_an_entry_of_an_earlier_term_is_not_committed_by_counting() -> None:
    """Figure 8 of the paper: it could still be replaced by a leader that has not got it."""
    peer = Bench(1)
    peer.hear(2, APPEND, 2, 0, 1, 0, *entry(2, 7))
    peer.leads(3, voter=2)
    assert executes(peer.hear(2, APPENDED, 3, 0, 1)) == []
    assert executes(peer.hear(2, APPENDED, 3, 0, 2)) == [7]


def test_a_new_leader_begins_with_an_entry_of_its_own() -> None:
    peer = Bench(1)
    peer.hear(0, SUBMIT, 0, 1, 1, VALUE, 5)
    assert sent(peer.leads(2, voter=2)) == [NOTHING, NOTHING]


def test_a_vote_is_given_once_in_a_term() -> None:
    member = Bench(2)
    assert tells(member.hear(1, ASK, 2, 0, 0, 1), VOTE) == [Tell(1, VOTE, (2, 0, 0, 1))]
    assert tells(member.hear(0, ASK, 2, 0, 0, 1), VOTE) == [Tell(0, VOTE, (2, 0, 0, 0))]
    assert tells(member.hear(1, ASK, 2, 0, 0, 1), VOTE) == [Tell(1, VOTE, (2, 0, 0, 1))]
    assert tells(member.hear(1, ASK, 2, 1, 0, 1), VOTE) == [Tell(1, VOTE, (2, 0, 1, 0))]
    assert tells(member.hear(0, ASK, 3, 0, 0, 1), VOTE) == [Tell(0, VOTE, (3, 0, 0, 1))]


def test_in_the_first_term_all_have_voted() -> None:
    assert tells(Bench(2).hear(1, ASK, 1, 0, 0, 1), VOTE) == [Tell(1, VOTE, (1, 0, 0, 0))]


@pytest.mark.parametrize(("last", "last_term", "granted"), [(2, 1, 0), (0, 1, 0), (1, 2, 1), (2, 2, 1), (1, 3, 1)])
def test_a_vote_is_for_a_log_that_has_all_of_ones_own(last: int, last_term: int, granted: int) -> None:
    member = Bench(2)
    member.hear(1, APPEND, 2, 0, 1, 0, *entry(2, 7))
    assert tells(member.hear(0, ASK, 3, 0, last, last_term), VOTE) == [Tell(0, VOTE, (3, 0, 0, granted))]


def test_who_votes_waits_anew_and_who_refuses_does_not() -> None:
    """So a candidate with too short a log does not keep off a better one."""
    member = Bench(2)
    assert Arm(ELECTION, 16) in member.hear(1, APPEND, 1, 0, 1, 0, *entry(1, 7))
    assert not any(isinstance(effect, Arm) for effect in member.hear(1, ASK, 2, 0, 0, 1))
    assert Arm(ELECTION, 64) in member.hear(1, ASK, 3, 0, 1, 1)


def test_who_is_asked_in_doubt_of_the_leader_waits_for_it() -> None:
    assert Arm(ELECTION, 12) not in Bench(1).hear(3, SUBMIT, 0, 0, 1, VALUE, 5)
    assert Arm(ELECTION, 12) in Bench(1).hear(3, SUBMIT, 0, 1, 1, VALUE, 5)
    assert Arm(ELECTION, 12) in Bench(1).hear(0, SUBMIT, 0, 0, 1, VALUE, 5)  # the leader does not lead


def test_who_is_no_member_votes_as_who_it_is() -> None:
    """It may have been added and not know it yet; it never stands itself."""
    assert tells(Bench(3).hear(1, ASK, 2, 0, 0, 1), VOTE) == [Tell(1, VOTE, (2, 0, 0, 1))]
    assert tells(Bench(2, incarnation=1).hear(1, ASK, 2, 0, 0, 1), VOTE) == [Tell(1, VOTE, (2, 1, 0, 1))]
    assert not any(isinstance(effect, Arm) and effect.timer == ELECTION for effect in Bench(3).hear(1, ASK, 2, 0, 0, 1))


@pytest.mark.parametrize(
    "vote", [(2, 0, 0, 0), (3, 0, 0, 1), (1, 0, 0, 1), (2, 0, 1, 1), (2, 1, 0, 1)], ids=lambda vote: str(vote)
)
def test_votes_that_do_not_count(vote: tuple[int, int, int, int]) -> None:
    """Refused; of other terms; for another incarnation; of one that is no member."""
    member = Bench(1)
    member.hear(0, SUBMIT, 0, 1, 1, VALUE, 5)
    assert tells(member.step(Elapsed(ELECTION)), ASK)
    member.hear(2, VOTE, *vote)
    assert member.peer.role() != "leader"


def test_one_vote_twice_is_one() -> None:
    member = Bench(1, members=5)
    member.hear(0, SUBMIT, 0, 1, 1, VALUE, 5)
    member.leads(2, voter=2)
    assert member.peer.role() == "candidate"
    member.hear(2, VOTE, 2, 0, 0, 1)
    assert member.peer.role() == "candidate"
    member.hear(3, VOTE, 2, 0, 0, 1)
    assert member.peer.role() == "leader"


def test_the_leader_of_an_earlier_term_is_refused_and_steps_down() -> None:
    member = Bench(2)
    member.hear(1, ASK, 2, 0, 0, 1)
    refused = tells(member.hear(0, APPEND, 1, 0, 1, 0, *entry(1, 7)), REJECTED)
    assert refused == [Tell(0, REJECTED, (2, 0, 0, 0))]
    assert tells(member.hear(1, APPEND, 2, 0, 1, 1, *entry(2, 8)), APPENDED)
    leader = Bench(0)
    leader.step(Submitted(1, 7))
    leader.hear(2, *refused[0][1:2], *refused[0].numbers)
    assert leader.peer.role() == "follower"


def test_entries_that_conflict_are_replaced_with_all_behind_them() -> None:
    member = Bench(2)
    member.hear(0, APPEND, 1, 0, 1, 0, *entry(1, 7), *entry(1, 8, request=2), *entry(1, 9, request=3))
    member.hear(1, APPEND, 2, 1, 1, 0, *entry(2, 5, origin=1))
    assert executes(member.hear(1, APPEND, 2, 2, 2, 2)) == [7, 5]
    assert tells(member.hear(1, APPEND, 2, 3, 1, 2), REJECTED)


def test_what_comes_again_does_not_cut_the_log() -> None:
    member = Bench(2)
    member.hear(0, APPEND, 1, 0, 1, 0, *entry(1, 7), *entry(1, 8, request=2))
    assert tells(member.hear(0, APPEND, 1, 0, 1, 0, *entry(1, 7)), APPENDED) == [Tell(0, APPENDED, (1, 0, 1))]
    assert executes(member.hear(0, APPEND, 1, 2, 1, 2)) == [7, 8]


def test_a_gap_is_refused_and_gone_back_for() -> None:
    leader, member = Bench(0), Bench(1)
    leader.step(Submitted(1, 7))
    late = tells(leader.step(Submitted(2, 8)), APPEND)[0]
    refused = tells(member.hear(0, *late[1:2], *late.numbers), REJECTED)
    again = tells(leader.hear(1, REJECTED, *refused[0].numbers), APPEND)
    assert [tell.numbers[1] for tell in again] == [0]
    assert tells(leader.hear(1, REJECTED, *refused[0].numbers), APPEND) == []
    member.hear(0, APPEND, *again[0].numbers)
    assert executes(member.hear(0, APPEND, 1, 2, 1, 2)) == [7, 8]


def test_a_commit_is_no_more_than_what_is_known_to_agree() -> None:
    member = Bench(2)
    member.hear(0, APPEND, 1, 0, 1, 0, *entry(1, 7), *entry(1, 8, request=2))
    assert executes(member.hear(1, APPEND, 2, 1, 1, 2)) == [7]


def test_what_is_asked_for_again_is_in_the_log_once() -> None:
    leader = Bench(0)
    assert sent(leader.hear(3, SUBMIT, 0, 0, 1, VALUE, 7)) == [VALUE, VALUE]
    assert sent(leader.hear(3, SUBMIT, 0, 1, 1, VALUE, 7)) == []
    assert executes(leader.hear(1, APPENDED, 1, 0, 1)) == [7]
    again = leader.hear(3, SUBMIT, 0, 0, 1, VALUE, 7)
    assert sent(again) == []
    assert tells(again, DONE) == [Tell(3, DONE, (0, 1, 101))]
    assert sent(leader.hear(3, SUBMIT, 1, 0, 1, VALUE, 7)) == [VALUE, VALUE]


def test_what_came_of_a_request_of_an_earlier_life_is_no_answer() -> None:
    client = Bench(3, incarnation=1)
    client.step(Submitted(1, 7))
    assert answers(client.hear(0, DONE, 0, 1, 101)) == []
    assert answers(client.hear(0, DONE, 1, 1, 105)) == [Answer(1, 105)]
    assert answers(client.hear(0, DONE, 1, 1, 105)) == []


def test_who_does_not_lead_says_who_does() -> None:
    told = tells(Bench(2).hear(3, SUBMIT, 0, 0, 1, VALUE, 7), REDIRECT)
    assert told == [Tell(3, REDIRECT, (1, 1, 2, 0, 1, 2))]
    client = Bench(3)
    client.step(Submitted(1, 7))
    assert tells(client.hear(2, REDIRECT, 2, 2, 0, 1, 2), SUBMIT) == [Tell(1, SUBMIT, (0, 0, 1, VALUE, 7))]
    assert tells(client.hear(0, REDIRECT, 1, 1, 0, 1, 2), SUBMIT) == []


def test_a_silent_leader_is_asked_for_news_before_anybody_stands() -> None:
    member = Bench(1)
    member.hear(0, APPEND, 1, 0, 1, 0, *entry(1, 7))
    first = member.step(Elapsed(ELECTION))
    assert tells(first, PROBE) == [Tell(0, PROBE, (1, 0))]
    member.hear(0, APPEND, 1, 1, 1, 0)
    assert tells(member.step(Elapsed(ELECTION)), PROBE)
    assert tells(member.step(Elapsed(ELECTION)), ASK)


def test_timers_are_armed_only_by_who_waits() -> None:
    member = Bench(1)
    assert Arm(ELECTION, 12) in member.hear(0, APPEND, 1, 0, 1, 0, *entry(1, 7))
    assert Arm(ELECTION, 0) in member.hear(0, APPEND, 1, 1, 1, 1)
    leader = Bench(0)
    assert {effect.timer for effect in leader.step(Submitted(1, 7)) if isinstance(effect, Arm)} == {PATIENCE, RESEND}
    assert Arm(PATIENCE, 0) in leader.hear(1, APPENDED, 1, 0, 1)
    assert Arm(RESEND, 0) in leader.hear(2, APPENDED, 1, 0, 1)


def test_who_is_silent_is_sent_to_later_and_later_and_then_left_alone() -> None:
    leader = Bench(0)
    leader.step(Submitted(1, 7))
    leader.hear(1, APPENDED, 1, 0, 1)
    waits = []
    for _ in range(20):
        arms = [effect.ticks for effect in leader.step(Elapsed(RESEND)) if isinstance(effect, Arm)]
        waits += arms
        if not arms:
            break
    assert waits == sorted(waits)
    assert waits[-1] > 16 * waits[0]
    assert len(waits) < 20
    assert [tell.target for tell in tells(leader.step(Submitted(2, 8)), APPEND)] == [1, 2]
    leader.hear(1, APPENDED, 1, 0, 2)
    assert sent(leader.step(Elapsed(RESEND))) == []
    assert sent(leader.hear(2, PROBE, 1, 0)) == [VALUE, VALUE]


def test_entries_are_sent_together_and_fit_a_message() -> None:
    leader = Bench(0)
    effects = [effect for request in range(1, 60) for effect in leader.step(Submitted(request, LARGE))]
    under_way = tells(effects, APPEND)
    assert len([tell for tell in under_way if tell.target == 1]) == 16
    more = tells(leader.hear(1, APPENDED, 1, 0, 1), APPEND)
    assert [len(unpacked(tell.numbers[4:])) for tell in more] == [3]
    assert all(size(tell.numbers) <= ROOM for tell in (*under_way, *more))


def test_one_that_started_anew_is_removed_and_then_added_as_another() -> None:
    leader = Bench(0)
    assert sent(leader.hear(1, JOIN, 1)) == [REPLACE, REPLACE]
    assert sent(leader.hear(1, JOIN, 1)) == []
    added = leader.hear(2, APPENDED, 1, 0, 1)
    assert ADD in sent(added)
    again = Bench(1, incarnation=1)
    assert again.peer.role() == "joining"
    again.hear(0, APPEND, 1, 0, 1, 0, *entry(1, identity(1, 1), 0, 0, REPLACE), *entry(1, identity(1, 1), 0, 0, ADD))
    assert again.peer.role() == "follower"


def test_members_change_only_when_an_entry_of_the_leaders_own_is_committed() -> None:
    """The flaw of the first account of it, mended in 2015."""
    peer = Bench(1)
    peer.hear(0, SUBMIT, 0, 1, 1, VALUE, 5)
    peer.leads(2, voter=2)
    peer.hear(0, JOIN, 1)
    assert sent(peer.step(Elapsed(RESEND))) == [NOTHING, NOTHING]
    assert REPLACE in sent(peer.hear(2, APPENDED, 2, 0, 1))


def test_members_change_one_by_one() -> None:
    leader = Bench(0, members=5)
    assert REPLACE in sent(leader.hear(1, JOIN, 1))
    assert REPLACE not in sent(leader.hear(2, JOIN, 1))
    effects = [effect for source in (3, 4) for effect in leader.hear(source, APPENDED, 1, 0, 1)]
    assert sent(effects).count(ADD) == 4
    assert sent(effects).count(REPLACE) == 1  # who was removed is told so


def test_a_core_is_added_in_the_incarnation_it_says() -> None:
    leader = Bench(0)
    assert tells(leader.step(Reconfigured(1, 3, True)), INVITE) == [Tell(3, INVITE, (1,))]
    assert tells(Bench(3, incarnation=2).hear(0, INVITE, 1), JOIN) == [Tell(0, JOIN, (2,))]
    assert sent(leader.hear(3, JOIN, 2)).count(ADD) == 3
    effects = [effect for source in (1, 2) for effect in leader.hear(source, APPENDED, 1, 0, 1)]
    assert answers(effects) == [Answer(1, 0)]


def test_a_core_that_does_not_say_is_not_added() -> None:
    leader = Bench(0)
    leader.step(Reconfigured(1, 3, True))
    for _ in range(8):
        leader.step(Elapsed(RESEND))
    assert answers(leader.hear(1, APPENDED, 1, 0, 1)) == [Answer(1, 0, accepted=False)]


def test_a_last_member_stays() -> None:
    assert answers(Bench(0, members=1).step(Reconfigured(1, 0, False))) == [Answer(1, 0, accepted=False)]
    leader = Bench(0, members=1)
    assert tells(leader.hear(3, SUBMIT, 0, 0, 1, REMOVE, 0), DENIED) == [Tell(3, DENIED, (0, 1))]
    assert leader.peer.role() == "leader"


def test_what_is_so_already_is_done() -> None:
    leader = Bench(0, members=1)
    assert answers(leader.step(Reconfigured(1, 0, True))) == [Answer(1, 0)]
    assert answers(leader.step(Reconfigured(2, 5, False))) == [Answer(2, 0)]


def test_a_leader_that_is_removed_commits_it_and_leads_no_longer() -> None:
    leader = Bench(0)
    leader.step(Reconfigured(1, 0, False))
    assert answers(leader.hear(1, APPENDED, 1, 0, 1)) == []
    effects = leader.hear(2, APPENDED, 1, 0, 1)
    assert answers(effects) == [Answer(1, 0)]
    assert {tell.target for tell in tells(effects, APPEND) if tell.numbers[3] == 1} == {1, 2}
    assert leader.peer.role() == "client"


@pytest.mark.parametrize(
    ("phase", "numbers"),
    [
        (0, ()),
        (13, (1,)),
        (SUBMIT, (0, 0, 1)),
        (SUBMIT, (0, 0, 1, 9, 7)),
        (APPEND, (2, 0, 1, 0, 16)),
        (APPEND, (1, 0, 1, 0)),
        (APPEND, (2, 0, 1, 0, 22, 0, 0, 0)),
        (APPENDED, (1, 0, 4)),
        (VOTE, (1,)),
    ],
)
def test_what_no_peer_would_send_is_refused(phase: int, numbers: tuple[int, ...]) -> None:
    with pytest.raises(PeerError):
        Bench(0).hear(1, phase, *numbers)
