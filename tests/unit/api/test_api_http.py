"""The HTTP face: health, headers, limits, and what another site's page cannot do."""

import subprocess
import sys
from pathlib import Path

import pytest
from api_centre import ApiClient

from consore.api import sdl
from consore.api.limits import MOST_ALIASES, MOST_DEPTH
from consore.api.shield import LARGEST_BODY

ROOT = Path(__file__).parents[3]
HEAVY = ["torch", "flair", "onnxruntime", "transformers", "django", "kivy", "polars"]


def test_the_schema_of_the_repository_is_the_one_that_is_served():
    written = (ROOT / "backend" / "schema.graphql").read_text(encoding="utf-8")
    assert written == sdl(), "Run `consore schema > backend/schema.graphql`."


def test_the_api_starts_without_the_language_models():
    code = f"import sys, consore.api; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_process_that_lives_says_so(http):
    answer = http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_a_node_without_its_search_engine_is_alive_and_not_ready(http, patients):
    answer = http.get("/readyz")
    assert answer.status_code == 503
    parts = answer.json()
    assert parts["store"] == {"ready": True, "patients": len(patients) + 1, "documents": 3 * len(patients) + 3}
    assert not parts["search_engine"]["ready"]
    assert parts["search_engine"]["message"]


def test_requests_are_counted_for_prometheus(http):
    http.get("/healthz")
    text = http.get("/metrics").text
    assert 'consore_http_requests_total{path="/healthz",status="200"}' in text
    http.get("/patient/00812345")
    assert "00812345" not in http.get("/metrics").text


@pytest.mark.parametrize("path", ["/healthz", "/graphql", "/nowhere", "/graphql/assets/page.js"])
def test_every_answer_carries_the_headers_that_browsers_obey(http, path):
    headers = http.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_the_page_and_its_files_come_from_this_node_alone(http):
    page = http.get("/graphql", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "http" not in page.headers["content-security-policy"]
    assert "//" not in page.text
    for name in ("graphiql.min.js", "graphiql.min.css", "react.production.min.js", "page.js", "page.css"):
        assert http.get(f"/graphql/assets/{name}").status_code == 200
    for name in ("../server.py", "..%2Fserver.py", "server.py", "graphiql.html"):
        assert http.get(f"/graphql/assets/{name}").status_code == 404


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", "query={me{login}}"),
        ("text/plain", '{"query": "{ me { login } }"}'),
        ("application/json", "{"),
        ("application/json", "[]"),
        ("application/json", '{"query": 7}'),
        ("application/json", b"\xff\xfe not text"),
        ("application/json", "[" * 100_000),
        ("application/json", '[{"query": "{ me { login } }"}]'),
    ],
)
def test_only_one_json_question_at_a_time_is_taken(http, content_type, body):
    assert http.post("/graphql", content=body, headers={"Content-Type": content_type}).status_code == 400


def test_a_question_in_the_address_is_not_answered(http):
    answer = http.get("/graphql", params={"query": "{ me { login } }"}, headers={"Accept": "application/json"})
    assert "login" not in answer.text or "<html" in answer.text


def test_no_cookie_is_ever_set(http, physician):
    answer = http.post("/graphql", json={"query": "{ me { login } }"}, headers=physician.headers)
    assert "set-cookie" not in answer.headers


def test_only_the_pages_that_the_settings_name_may_call(http):
    def preflight(origin):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        return http.options("/graphql", headers=headers).headers.get("access-control-allow-origin")

    assert preflight("https://portail.example") == "https://portail.example"
    assert preflight("https://ailleurs.example") is None


def test_a_large_request_is_refused_whether_its_length_is_told_or_not(http):
    body = b'{"query": "' + b"x" * LARGEST_BODY + b'"}'
    assert http.post("/graphql", content=body).status_code == 413
    pieces = (body[start : start + 65536] for start in range(0, len(body), 65536))
    answer = http.post("/graphql", content=pieces, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["extensions"]["code"] == "too_large"


def test_a_question_too_deep_too_wide_or_too_long_is_refused(physician):
    deep = "similar { patient { " * MOST_DEPTH + "id" + " } }" * MOST_DEPTH
    assert "depth" in physician.refused('{ patient(id: "1") { ... on Patient {' + deep + "} } }")["message"]
    wide = " ".join(f"a{number}: me {{ login }}" for number in range(MOST_ALIASES + 1))
    assert "aliases" in physician.refused("{" + wide + "}")["message"]
    long = "me { login }" + " login" * 3000
    assert "tokens" in physician.refused("{" + long + "}")["message"]


@pytest.mark.parametrize(
    "question",
    [
        '{ patient(id: "1") { ... on Patient { documents(first: 1000) { totalCount } } } }',
        '{ patient(id: "1") { ... on Patient { documents(first: 0) { totalCount } } } }',
        '{ patient(id: "1") { ... on Patient { similar(limit: 101) { score } } } }',
        '{ search(text: "sein", perPage: 500) { total } }',
        '{ search(text: "sein", page: 0) { total } }',
        '{ suggest(prefix: "s", limit: -1) { text } }',
    ],
)
def test_pages_have_a_largest_size(physician, question):
    assert physician.refused(question)["extensions"]["code"] == "input"


def test_a_search_without_its_engine_says_what_is_missing(physician):
    error = physician.refused('{ search(text: "sein") { total } }')
    assert error["extensions"]["code"] == "search_engine"
    assert error["message"] == "Le moteur de recherche démarre."


def test_an_unexpected_error_is_a_number_for_the_user_and_a_line_in_the_log(physician, monkeypatch, caplog):
    from consore.api.centre import Centre

    def broken(settings):
        raise RuntimeError("MARCHANT Élise 00812345")

    monkeypatch.setattr(Centre, "of", broken)
    error = physician.refused("{ centre { code } }")
    assert error["extensions"]["code"] == "unexpected"
    assert error["extensions"]["id"] in error["message"]
    assert "MARCHANT" not in str(error)


def test_the_log_never_holds_the_values_of_an_error(physician, monkeypatch, capsys):
    from consore.api.centre import Centre

    def broken(settings):
        secret_of_a_patient = "MARCHANT Élise"
        raise ValueError(secret_of_a_patient)

    monkeypatch.setattr(Centre, "of", broken)
    error = physician.refused("{ centre { code } }")
    said = capsys.readouterr()
    assert error["extensions"]["id"] in said.out + said.err
    assert "MARCHANT" not in said.out + said.err


def test_a_client_may_learn_the_schema(stranger):
    assert stranger.ask("{ __schema { queryType { name } } }")["__schema"]["queryType"]["name"] == "Query"


def test_long_answers_are_packed(http, physician):
    answer = http.post(
        "/graphql",
        json={"query": "{ __schema { types { name description fields { name description } } } }"},
        headers={**physician.headers, "Accept-Encoding": "gzip"},
    )
    assert answer.headers["content-encoding"] == "gzip"


def test_a_forged_token_is_nobody(http):
    client = ApiClient(http)
    client.headers["Authorization"] = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."
    assert client.ask("{ me { login } }") == {"me": None}
