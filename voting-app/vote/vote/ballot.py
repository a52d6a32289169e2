"""What a vote is and which votes are well formed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CHOICES = ("a", "b")

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_VOTER = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True)
class Vote:
    """One vote. `vote_id` comes from the client, so that the client may send it again after a lost answer."""

    vote_id: str
    voter_id: str
    choice: str


class InvalidVote(ValueError):
    """A body that is no vote; `problems` names each bad field with its value and what is allowed."""

    def __init__(self, problems: list[dict[str, Any]]):
        super().__init__("; ".join(f"{p['name']}: allowed is {p['allowed']}" for p in problems))
        self.problems = problems


def parse_vote(body: Any, cookie_voter: str | None) -> Vote:
    """Read a vote from a decoded body; a body without `voterId` takes the voter of the page's cookie."""
    if not isinstance(body, Mapping):
        raise InvalidVote([_problem("body", body, "a JSON object", '{"voteId": "...", "voterId": "...", "choice": "a"}')])
    vote_id = body.get("voteId")
    voter_id = body.get("voterId", cookie_voter)
    choice = body.get("choice")
    problems = []
    if not (isinstance(vote_id, str) and _UUID.fullmatch(vote_id)):
        problems.append(_problem("voteId", vote_id, "a UUID made by the client", "0b5c8a2e-6a3f-4f0e-9d57-3c1f2a9be001"))
    if not is_voter_id(voter_id):
        problems.append(_problem("voterId", voter_id, "1 to 128 of A-Z a-z 0-9 . _ : - (or the page's cookie)", "voter-17"))
    if choice not in CHOICES:
        problems.append(_problem("choice", choice, "one of " + ", ".join(CHOICES), CHOICES[0]))
    if problems:
        raise InvalidVote(problems)
    return Vote(vote_id=vote_id.lower(), voter_id=voter_id, choice=choice)


def is_voter_id(value: Any) -> bool:
    """Whether `value` may identify a voter."""
    return isinstance(value, str) and _VOTER.fullmatch(value) is not None


def _problem(name: str, value: Any, allowed: str, example: str) -> dict[str, Any]:
    # Long or nested values are shown shortened: the answer must not echo a whole body.
    shown = value if value is None or isinstance(value, (bool, int)) else str(value)[:64]
    return {"name": name, "value": shown, "allowed": allowed, "example": example}
