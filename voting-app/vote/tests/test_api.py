"""The API: a vote is accepted when, and only when, Redis holds it."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from vote.app import create_app
from vote.lifecycle import Lifecycle
from vote.settings import Settings
from vote.vote_queue import MAX_CALLS, RECENT_KEY, REMEMBERED_VOTES, VoteQueue
from vote.ballot import Vote


def a_vote(**changes):
    return {"voteId": str(uuid.uuid4()), "voterId": "voter-1", "choice": "a", **changes}


def queued(redis_server):
    return [json.loads(record) for record in redis_server.client.lrange("votes", 0, -1)]


def test_an_accepted_vote_is_in_redis(client, redis_server):
    vote = a_vote(choice="b")
    before = time.time()
    answer = client.post("/api/votes", json=vote)
    assert answer.status_code == 201
    body = answer.get_json()
    assert body == {"voteId": vote["voteId"], "choice": "b", "sequence": body["sequence"], "repeat": False, "pod": "vote-test"}
    assert before - 1 < body["sequence"] / 1e6 < time.time() + 1
    (record,) = queued(redis_server)
    assert record == {**vote, "sequence": body["sequence"], "acceptedAt": record["acceptedAt"]}
    assert record["acceptedAt"].endswith("Z")


def test_a_repeat_is_answered_200_with_the_same_sequence(client, redis_server):
    vote = a_vote()
    first, second = client.post("/api/votes", json=vote), client.post("/api/votes", json={**vote, "voteId": vote["voteId"].upper()})
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.get_json()["repeat"] is True
    assert first.get_json()["sequence"] == second.get_json()["sequence"]
    # Queued again on purpose: the database tells repeats, so Redis may forget.
    assert [record["sequence"] for record in queued(redis_server)] == [first.get_json()["sequence"]] * 2


def test_the_memory_of_repeats_is_bounded(client, redis_server):
    redis_server.client.zadd(RECENT_KEY, {f"old-{n}": n for n in range(REMEMBERED_VOTES + 50)})
    vote = a_vote()
    assert client.post("/api/votes", json=vote).status_code == 201
    assert redis_server.client.zcard(RECENT_KEY) == REMEMBERED_VOTES
    assert client.post("/api/votes", json=vote).status_code == 200


def test_the_sequence_never_goes_back(client, redis_server):
    future = (time.time() + 3600) * 1e6
    redis_server.client.set("votes:sequence", int(future))
    sequences = [client.post("/api/votes", json=a_vote()).get_json()["sequence"] for _ in range(3)]
    assert sequences == [int(future) + 1, int(future) + 2, int(future) + 3]


def test_concurrent_votes_get_distinct_ordered_places(settings, redis_server):
    queue = VoteQueue(settings)
    with ThreadPoolExecutor(20) as threads:
        receipts = list(threads.map(lambda n: queue.accept(Vote(str(uuid.uuid4()), f"v{n}", "a")), range(300)))
    assert len({receipt.sequence for receipt in receipts}) == 300
    in_queue = [record["sequence"] for record in queued(redis_server)]
    assert in_queue == sorted(in_queue) and len(in_queue) == 300


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"voteId": None}, ["voteId"]),
        ({"voteId": "{0b5c8a2e-6a3f-4f0e-9d57-3c1f2a9be001}"}, ["voteId"]),
        ({"voteId": 17}, ["voteId"]),
        ({"voterId": ""}, ["voterId"]),
        ({"voterId": "a b"}, ["voterId"]),
        ({"voterId": "a\u0000b"}, ["voterId"]),
        ({"voterId": "x" * 129}, ["voterId"]),
        ({"voterId": "voter\n"}, ["voterId"]),
        ({"choice": "c"}, ["choice"]),
        ({"choice": ["a"]}, ["choice"]),
        ({"voteId": "<script>", "voterId": {}, "choice": True}, ["voteId", "voterId", "choice"]),
    ],
)
def test_what_is_no_vote_is_refused_by_name(client, redis_server, changes, names):
    answer = client.post("/api/votes", json=a_vote(**changes))
    assert answer.status_code == 400
    error = answer.get_json()["error"]
    assert error["code"] == "invalid_vote"
    assert [problem["name"] for problem in error["problems"]] == names
    for problem in error["problems"]:
        assert set(problem) == {"name", "value", "allowed", "example"}
        assert len(str(problem["value"])) <= 64
    assert queued(redis_server) == []


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"data": "{", "content_type": "application/json"}, 400),
        ({"data": "[]", "content_type": "application/json"}, 400),
        ({"data": "choice=a", "content_type": "application/x-www-form-urlencoded"}, 415),
        ({"data": json.dumps({"x": "y" * 5000}), "content_type": "application/json"}, 413),
        ({"data": b"\xff\xfe", "content_type": "application/json"}, 400),
    ],
)
def test_other_bodies_are_refused_as_json(client, redis_server, arguments, status):
    answer = client.post("/api/votes", **arguments)
    assert answer.status_code == status
    assert answer.get_json()["error"]["message"]
    assert queued(redis_server) == []


def test_other_methods_and_paths_are_refused_as_json(client):
    answer = client.delete("/api/votes")
    assert answer.status_code == 405 and "POST" in answer.headers["Allow"]
    assert client.get("/nowhere").get_json()["error"]["code"] == "not_found"


def assert_unavailable(answer, reason):
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.get_json()["error"]["reason"] == reason


def test_redis_killed_and_restarted(client, redis_server):
    vote = a_vote()
    assert client.post("/api/votes", json=a_vote()).status_code == 201
    redis_server.kill()
    assert_unavailable(client.post("/api/votes", json=vote), "unreachable")
    redis_server.start()
    assert client.post("/api/votes", json=vote).status_code == 201
    assert len(queued(redis_server)) == 2


def test_redis_full_changes_nothing(client, redis_server):
    redis_server.client.config_set("maxmemory", "1")
    assert_unavailable(client.post("/api/votes", json=a_vote()), "full")
    assert redis_server.client.keys("*") == []
    redis_server.client.config_set("maxmemory", "0")
    assert client.post("/api/votes", json=a_vote()).status_code == 201


def test_redis_read_only(client, redis_server):
    redis_server.client.replicaof("127.0.0.1", "1")
    assert_unavailable(client.post("/api/votes", json=a_vote()), "read_only")


def test_redis_hanging_is_given_up_in_time(client, redis_server):
    assert client.post("/api/votes", json=a_vote()).status_code == 201
    redis_server.pause()
    started = time.monotonic()
    assert_unavailable(client.post("/api/votes", json=a_vote()), "timeout")
    assert time.monotonic() - started < 2
    redis_server.resume()
    assert client.post("/api/votes", json=a_vote()).status_code == 201


def test_a_hanging_redis_leaves_threads_free(settings, redis_server):
    queue = VoteQueue(Settings(**{**settings.__dict__, "redis_timeout": 2.0}))
    redis_server.pause()
    with ThreadPoolExecutor(MAX_CALLS + 4) as threads:
        def reason(n):
            try:
                queue.accept(Vote(str(uuid.uuid4()), "v", "a"))
            except Exception as error:
                return error.reason
            return "accepted"

        reasons = list(threads.map(reason, range(MAX_CALLS + 4)))
    redis_server.resume()
    assert reasons.count("timeout") == MAX_CALLS and reasons.count("busy") == 4


def test_ready_waits_for_redis_once_and_then_stays(settings, lifecycle, redis_server):
    redis_server.kill()
    client = create_app(settings, lifecycle).test_client()
    assert client.get("/health").status_code == 200
    starting = client.get("/ready")
    assert (starting.status_code, starting.get_json()["status"]) == (503, "starting")
    redis_server.start()
    assert client.get("/ready").get_json() == {"status": "ready", "redis": "reachable", "pod": "vote-test"}
    redis_server.kill()
    # Voters get an honest 503 from the API, so the pod stays in its Service.
    away = client.get("/ready")
    assert (away.status_code, away.get_json()["redis"]) == (200, "unreachable")
    lifecycle.start_draining()
    assert (client.get("/ready").status_code, client.get("/health").status_code) == (503, 200)


def test_metrics(client, redis_server):
    vote = a_vote()
    client.post("/api/votes", json=vote)
    client.post("/api/votes", json=vote)
    client.post("/api/votes", json={})
    client.get("/some/path/of/the/caller")
    text = client.get("/metrics").get_data(as_text=True)
    for line in (
        'vote_votes_accepted_total{choice="a",repeat="false"} 1.0',
        'vote_votes_accepted_total{choice="a",repeat="true"} 1.0',
        'vote_http_requests_total{code="400",method="POST",route="/api/votes"} 1.0',
        'vote_http_requests_total{code="404",method="any",route="none"} 1.0',
        "vote_queue_length 2.0",
        "vote_redis_up 1.0",
    ):
        assert line in text
    redis_server.kill()
    client.post("/api/votes", json=vote)
    text = client.get("/metrics").get_data(as_text=True)
    assert 'vote_redis_errors_total{reason="unreachable"} 1.0' in text
    assert "vote_redis_up 0.0" in text and "vote_queue_length" not in text


def test_the_log_names_no_voter(client, caplog):
    with caplog.at_level("INFO"):
        client.post("/api/votes", json=a_vote(voterId="jane.doe"))
    assert any(record.message == "vote accepted" for record in caplog.records)
    assert "jane.doe" not in "".join(str(record.__dict__) for record in caplog.records)
