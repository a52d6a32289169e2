"""The page without scripts: cookies, the form and the headers."""

from __future__ import annotations

import json
import re

from vote.app import create_app
from vote.settings import Settings


def vote_id(html: str) -> str:
    return re.search(r'name="voteId" value="([0-9a-f-]{36})"', html).group(1)


def test_the_first_visit_gets_a_voter_cookie(client):
    answer = client.get("/")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("voterId=") and "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert "Set-Cookie" not in client.get("/").headers


def test_a_bad_voter_cookie_is_replaced(client):
    client.set_cookie("voterId", "not a voter")
    assert client.get("/").headers["Set-Cookie"].startswith("voterId=")


def test_voting_by_form(client, redis_server):
    page = client.get("/").get_data(as_text=True)
    answer = client.post("/", data={"voteId": vote_id(page), "choice": "b"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    (record,) = [json.loads(line) for line in redis_server.client.lrange("votes", 0, -1)]
    assert record["voteId"] == vote_id(page) and record["choice"] == "b"
    assert record["voterId"] == client.get_cookie("voterId").value
    after = client.get("/").get_data(as_text=True)
    assert "You voted for Dogs." in after
    assert re.search(r'value="b"[^>]*aria-pressed="true"', after) and re.search(r'value="a"[^>]*aria-pressed="false"', after)


def test_the_api_takes_the_voter_of_the_cookie(client, redis_server):
    client.get("/")
    assert client.post("/api/votes", json={"voteId": "0b5c8a2e-6a3f-4f0e-9d57-3c1f2a9be001", "choice": "a"}).status_code == 201
    assert json.loads(redis_server.client.lindex("votes", 0))["voterId"] == client.get_cookie("voterId").value
    assert client.get_cookie("choice").value == "a"


def test_a_form_without_cookie_says_why(client):
    answer = client.post("/", data={"voteId": "0b5c8a2e-6a3f-4f0e-9d57-3c1f2a9be001", "choice": "b"})
    assert answer.status_code == 400 and "allow cookies" in answer.get_data(as_text=True)


def test_a_form_while_redis_is_away(client, redis_server):
    page = client.get("/").get_data(as_text=True)
    redis_server.kill()
    answer = client.post("/", data={"voteId": vote_id(page), "choice": "a"})
    assert answer.status_code == 503 and answer.headers["Retry-After"]
    text = answer.get_data(as_text=True)
    assert "cannot be taken right now" in text and 'aria-pressed="true"' not in text
    # A new id: should the first have reached Redis after all, the next choice must still win over it.
    assert vote_id(text) != vote_id(page)


def test_labels_are_escaped(settings, lifecycle):
    named = Settings(**{**settings.__dict__, "option_a": "<b>Tea</b>", "option_b": '"Coffee"', "result_url": "http://127.0.0.1:1/?a=1&b=2"})
    html = create_app(named, lifecycle).test_client().get("/").get_data(as_text=True)
    assert "<b>" not in html and "&lt;b&gt;Tea&lt;/b&gt;" in html
    assert 'href="http://127.0.0.1:1/?a=1&amp;b=2"' in html


def test_security_headers_are_on_every_answer(client):
    for path in ("/", "/static/vote.js", "/health", "/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_the_page_needs_nothing_from_elsewhere(client):
    html = client.get("/").get_data(as_text=True)
    assert re.findall(r"(?:src|href)=\"(?!/static/)[^\"]*\"", html) == []
    assert "<style" not in html and "style=" not in html and not re.search(r"<script(?! src)", html)
