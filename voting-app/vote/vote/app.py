"""The HTTP side: the page, the API and the endpoints for Kubernetes and Prometheus."""

from __future__ import annotations

import logging
import time
import uuid
from typing import Any

from flask import Flask, Response, g, jsonify, make_response, redirect, render_template, request, url_for
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from werkzeug.exceptions import HTTPException

from .ballot import CHOICES, InvalidVote, Vote, is_voter_id, parse_vote
from .lifecycle import Lifecycle
from .metrics import Metrics
from .settings import Settings
from .vote_queue import QueueUnavailable, Receipt, VoteQueue

VOTER_COOKIE = "voterId"
CHOICE_COOKIE = "choice"
COOKIE_SECONDS = 365 * 24 * 3600
RETRY_AFTER_SECONDS = 2
MAX_BODY_BYTES = 4096

# Frames, foreign scripts, styles and connections are all refused; the page needs nothing but its own files.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

log = logging.getLogger("vote")


def create_app(settings: Settings, lifecycle: Lifecycle, queue: VoteQueue | None = None) -> Flask:
    """The WSGI application. `queue` is given by tests; otherwise one is made from `settings`."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    votes = queue or VoteQueue(settings)
    metrics = Metrics(votes.length, lambda: lifecycle.draining)
    labels = {"a": settings.option_a, "b": settings.option_b}

    def accept(vote: Vote) -> Receipt:
        try:
            receipt = votes.accept(vote)
        except QueueUnavailable as error:
            metrics.redis_errors.labels(error.reason).inc()
            raise
        metrics.accepted.labels(vote.choice, str(receipt.repeat).lower()).inc()
        log.info(
            "vote accepted",
            extra={"voteId": vote.vote_id, "choice": vote.choice, "sequence": receipt.sequence, "repeat": receipt.repeat},
        )
        return receipt

    def page(status: int = 200, message: str | None = None, chosen: str | None = None, voted: bool = False) -> Response:
        body = render_template(
            "index.html",
            labels=labels,
            chosen=chosen,
            voted=voted,
            message=message,
            vote_id=str(uuid.uuid4()),
            pod=settings.pod,
            result_url=settings.result_url,
        )
        response = make_response(body, status)
        response.headers["Cache-Control"] = "no-store"
        if not is_voter_id(request.cookies.get(VOTER_COOKIE)):
            _set_cookie(response, VOTER_COOKIE, str(uuid.uuid4()))
        return response

    @app.get("/")
    def show_page() -> Response:
        chosen = request.cookies.get(CHOICE_COOKIE)
        chosen = chosen if chosen in CHOICES else None
        return page(chosen=chosen, voted=chosen is not None)

    @app.post("/")
    def vote_by_form() -> Response:
        """For browsers without scripts: the same vote as a form, answered by a redirect to the page."""
        voter = request.cookies.get(VOTER_COOKIE)
        form = {"voteId": request.form.get("voteId"), "choice": request.form.get("choice")}
        try:
            vote = parse_vote(form, voter)
            accept(vote)
        except InvalidVote as error:
            names = {problem["name"] for problem in error.problems}
            hint = "Your browser sent no voter cookie; allow cookies for this page." if "voterId" in names else "Please choose one of the two."
            return page(400, hint)
        except QueueUnavailable:
            response = page(503, "Votes cannot be taken right now. Yours was not lost by you: please try again in a moment.", form["choice"])
            response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return response
        response = redirect(url_for("show_page"), 303)
        _set_cookie(response, CHOICE_COOKIE, vote.choice)
        return response

    @app.post("/api/votes")
    def vote_by_api() -> Response:
        if not request.is_json:
            return _error(415, "unsupported_media_type", "the body must be JSON: Content-Type: application/json")
        vote = parse_vote(request.get_json(silent=True), request.cookies.get(VOTER_COOKIE))
        receipt = accept(vote)
        response = jsonify(
            voteId=vote.vote_id,
            choice=vote.choice,
            sequence=receipt.sequence,
            repeat=receipt.repeat,
            pod=settings.pod,
        )
        response.status_code = 200 if receipt.repeat else 201
        if request.cookies.get(VOTER_COOKIE) == vote.voter_id:
            _set_cookie(response, CHOICE_COOKIE, vote.choice)
        return response

    @app.get("/health")
    def health() -> Response:
        return jsonify(status="ok", pod=settings.pod)

    @app.get("/ready")
    def ready() -> Response:
        try:
            votes.ping()
            reachable = True
            lifecycle.mark_connected()
        except QueueUnavailable as error:
            metrics.redis_errors.labels(error.reason).inc()
            reachable = False
        status = "draining" if lifecycle.draining else "ready" if lifecycle.connected else "starting"
        response = jsonify(status=status, redis="reachable" if reachable else "unreachable", pod=settings.pod)
        response.status_code = 200 if status == "ready" else 503
        return response

    @app.get("/metrics")
    def expose_metrics() -> Response:
        return Response(generate_latest(metrics.registry), content_type=CONTENT_TYPE_LATEST)

    @app.get("/favicon.ico")
    def favicon() -> Response:
        return redirect(url_for("static", filename="icon.svg"), 301)

    @app.errorhandler(InvalidVote)
    def invalid_vote(error: InvalidVote) -> Response:
        return _error(400, "invalid_vote", str(error), problems=error.problems)

    @app.errorhandler(QueueUnavailable)
    def queue_unavailable(error: QueueUnavailable) -> Response:
        response = _error(
            503,
            "queue_unavailable",
            "the vote is not confirmed; send it again with the same voteId",
            reason=error.reason,
            retryAfterSeconds=RETRY_AFTER_SECONDS,
        )
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        response = _error(error.code or 500, error.name.lower().replace(" ", "_"), error.description or error.name)
        for name, value in error.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.exception("unexpected error", extra={"path": request.path})
        return _error(500, "internal_error", "an unexpected error; the logs have it")

    @app.before_request
    def start_clock() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        # The rule, not the path: paths are the caller's, and would grow the metrics without bound.
        route = request.url_rule.rule if request.url_rule else "none"
        metrics.requests.labels(request.method if route != "none" else "any", route, response.status_code).inc()
        metrics.duration.labels(route).observe(seconds)
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        level = logging.WARNING if response.status_code >= 500 and route != "/ready" else logging.DEBUG
        log.log(
            level,
            "request",
            extra={"method": request.method, "route": route, "code": response.status_code, "ms": round(seconds * 1000, 1)},
        )
        return response

    return app


def _set_cookie(response: Response, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=COOKIE_SECONDS, httponly=True, samesite="Lax", secure=request.is_secure)


def _error(status: int, code: str, message: str, **details: Any) -> Response:
    response = jsonify(error={"code": code, "message": message, **details})
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
