"""The guard of the lab: every attack on every route of the application itself is refused, and the page's own requests are not."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

import chainrule as cr
from chainrule.lab.desk import Desk
from chainrule.lab.guard import MOST_BODY, SECURE, Guard
from chainrule.lab.server import application
from chainrule.lab.session import Session

HOST = b"127.0.0.1:8123"
THREAD = ThreadPoolExecutor(1)


@pytest.fixture(scope="module")
def desk():
    made = Desk(Session(cr.Training("2-3-2 tanh softmax", cr.data.moons(n=40), batch_size=10)))
    yield made
    made.close()


@pytest.fixture(scope="module")
def guarded(desk):
    return Guard(application(desk), {HOST.decode(), "localhost:8123"}, 8123)


def request(guard, method, path, headers=(), body=b"", query=b"", kind="http"):
    """Status, headers and body of an answer; the status is 0 where the connection is closed unanswered."""
    sent, parts = [], [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        return parts.pop() if parts else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": kind, "method": method, "path": path, "raw_path": path.encode(), "query_string": query, "headers": list(headers),
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 8123), "client": ("127.0.0.1", 1), "root_path": "",
    }  # fmt: skip
    # In a thread of its own: a browser that was tested before holds the loop of this one.
    THREAD.submit(asyncio.run, guard(scope, receive, send)).result()
    status = next((message["status"] for message in sent if "status" in message), 0)
    told = [pair for message in sent for pair in message.get("headers", ())]
    return status, dict(told), b"".join(message.get("body", b"") for message in sent)


@pytest.fixture(scope="module")
def entered(guarded):
    """The headers of the page's own requests."""
    status, headers, _ = request(guarded, "GET", "/", [(b"host", HOST)], query=f"token={guarded.link_token()}&a=b".encode())
    assert (status, headers[b"location"]) == (303, b"/?a=b")
    cookie = headers[b"set-cookie"]
    assert b"HttpOnly" in cookie
    assert b"SameSite=Strict" in cookie
    assert cookie.startswith(b"chainrule_lab_8123=")
    return [(b"host", HOST), (b"cookie", cookie.partition(b";")[0])]


PLACE = {"name": "dense1.W", "index": [0, 1]}
ARGUMENTS = {
    "card": PLACE,
    "quotient": {**PLACE, "epsilon": 0.01},
    "picture": {"name": "sharpness"},
    "film": {"name": "sharpness"},
}
"""What readings are asked with that need something."""


def query_of(path):
    given = ARGUMENTS.get(path.strip("/"))
    return b"" if given is None else b"with=" + quote(json.dumps(given)).encode()


def routes(desk):
    return [(route.path, method) for route in application(desk).routes for method in sorted(route.methods)]


JSON = (b"content-type", b"application/json")
ATTACKS = {
    "no cookie": lambda own: [own[0]],
    "another cookie": lambda own: [own[0], (b"cookie", b"chainrule_lab_8123=" + b"A" * 43)],
    "the cookie of another port": lambda own: [own[0], (b"cookie", own[1][1].replace(b"8123", b"8124"))],
    "a rebound name": lambda own: [(b"host", b"evil.example:8123"), own[1]],
    "no host": lambda own: [own[1]],
    "no port": lambda own: [(b"host", b"127.0.0.1"), own[1]],
    "two hosts": lambda own: [own[0], (b"host", b"evil.example"), own[1]],
    "another origin": lambda own: [*own, (b"origin", b"https://evil.example")],
    "the origin null": lambda own: [*own, (b"origin", b"null")],
    "https": lambda own: [*own, (b"origin", b"https://" + HOST)],
    "another port's origin": lambda own: [*own, (b"origin", b"http://127.0.0.1:9")],
    "two origins": lambda own: [*own, (b"origin", b"http://" + HOST), (b"origin", b"http://" + HOST)],
    "another site": lambda own: [*own, (b"sec-fetch-site", b"cross-site")],
    "a site beside": lambda own: [*own, (b"sec-fetch-site", b"same-site")],
    "large headers": lambda own: [*own, (b"x-large", b"a" * 2**15)],
    "two lengths": lambda own: [*own, (b"content-length", b"1"), (b"content-length", b"2")],
    "a length too large": lambda own: [*own, (b"content-length", str(MOST_BODY + 1).encode())],
    "a length that is none": lambda own: [*own, (b"content-length", b"-1")],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_on_every_route_is_refused(guarded, desk, entered, attack):
    before = desk.session.step
    for path, method in [*routes(desk), ("/nothing", "GET"), ("/act", "GET")]:
        guarded._left = 100
        headers = [*ATTACKS[attack](entered), *([JSON] if method == "POST" else [])]
        body = json.dumps({"do": "forward", "with": {"steps": 3}}).encode()
        status, told, said = request(guarded, method, path, headers, body)
        assert 400 <= status < 500, (path, method, status)
        assert desk.session.step == before
        assert b"set-cookie" not in told
        assert not any(name.startswith(b"access-control") for name in told)
        assert b"dense1" not in said


@pytest.mark.parametrize("kind", [b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=a", b""])
def test_a_form_of_another_page_is_no_action(guarded, desk, entered, kind):
    before = desk.session.step
    status, _, _ = request(guarded, "POST", "/act", [*entered, (b"content-type", kind)], b'{"do": "forward"}')
    assert (status, desk.session.step) == (415, before)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "FOO"])
def test_other_methods_are_refused(guarded, desk, entered, method):
    for path, _ in routes(desk):
        guarded._left = 100
        assert request(guarded, method, path, [*entered, JSON])[0] == 405


def test_the_page_itself_is_answered(guarded, desk, entered):
    own = [*entered, (b"origin", b"http://" + HOST), (b"sec-fetch-site", b"same-origin")]
    for path, method in routes(desk):
        guarded._left = 100
        status, told, _ = request(guarded, method, path, [*own, JSON], b'{"do": "forward", "with": {}}', query_of(path))
        assert status == 200, path
        for name, value in SECURE.items():
            assert told[name.encode()] == value.encode(), (path, name)


@pytest.mark.parametrize(
    "query", ["x", "[]", "null", "{", '{"name": "../x", "index": [0, 0]}', '{"__class__": 1}', '{"index": {}}']
)
def test_wrong_questions_get_one_message(guarded, desk, entered, query):
    for name in desk.readings:
        guarded._left = 100
        status, _, said = request(guarded, "GET", f"/{name}", entered, query=f"with={quote(query)}".encode())
        assert status in {400, 422}, (name, said)
        assert json.loads(said)["error"]
        assert b"Traceback" not in said


@pytest.mark.parametrize("value", [-7, 10**12, 1e400, "x", "../../x", None, [], {}])
def test_a_control_of_a_picture_takes_only_what_it_can_have(desk, value):
    tried = 0
    for picture in desk.read("pictures", {}):
        for control in picture["controls"]:
            tried += 1
            with pytest.raises(cr.errors.OptionError):
                desk.read("picture", {"name": picture["name"], "given": {control["name"]: value}})
    assert tried > 20
    for given in ({"neuron": 0.5}, {"neuron": True}, {"nothing": 1}):
        with pytest.raises(cr.errors.OptionError):
            desk.read("picture", {"name": "sharpness", "given": given})


def test_reading_changes_nothing(guarded, desk, entered):
    before = desk.session.hash, desk.session.step
    for path, method in routes(desk):
        if method in {"GET", "HEAD"}:
            request(guarded, method, path, entered, query=query_of(path))
    assert (desk.session.hash, desk.session.step) == before


def test_a_link_opens_the_page_once(guarded):
    token = guarded.link_token()
    assert request(guarded, "GET", "/", [(b"host", HOST)], query=f"token={token}".encode())[0] == 303
    assert request(guarded, "GET", "/", [(b"host", HOST)], query=f"token={token}".encode())[0] == 403
    assert request(guarded, "GET", "/state", [(b"host", HOST)], query=f"token={guarded.link_token()}".encode())[0] == 403


def test_a_link_of_the_hall_only_looks(guarded, desk, entered):
    query = f"hall=&token={guarded.link_token(looks=True)}".encode()
    status, told, _ = request(guarded, "GET", "/", [(b"host", HOST)], query=query)
    assert (status, told[b"location"]) == (303, b"/?hall=")
    hall = [(b"host", HOST), (b"cookie", told[b"set-cookie"].partition(b";")[0])]
    before = desk.session.step, desk.room.acts
    for path, method in routes(desk):
        guarded._left = 100
        status, _, _ = request(guarded, method, path, [*hall, JSON], b'{"do": "forward"}', query_of(path))
        assert status == (200 if method in {"GET", "HEAD"} else 403), path
    assert (desk.session.step, desk.room.acts) == before
    # The value of that cookie under the name of the other is none.
    taken = [hall[0], (b"cookie", hall[1][1].replace(b"_hall", b""))]
    assert request(guarded, "POST", "/act", [*taken, JSON], b'{"do": "forward"}')[0] == 403


def test_no_connection_is_held(guarded, entered):
    assert request(guarded, "GET", "/frame", entered, kind="websocket")[0] == 0


def test_too_many_requests_are_refused(desk, entered, monkeypatch):
    monkeypatch.setattr("chainrule.lab.guard.REQUESTS_A_SECOND", 5.0)
    guard = Guard(application(desk), {HOST.decode()}, 8123)
    found = {request(guard, "GET", "/nothing", [(b"host", HOST)])[0] for _ in range(30)}
    assert 429 in found


WISHES = {
    "forward": [{"steps": "a"}, {"steps": 1e9}, {"steps": -1}, {"x": 1}],
    "at": [{"step": -1}, {"step": 10**12}],
    "set": [
        {"name": "dense1.W", "index": [0, 0], "value": float("nan")},
        {"name": "../x", "index": [], "value": 1},
        {"name": "dense1.W", "index": ["a"], "value": 1},
        {"name": "dense1.W", "index": 0, "value": 1},
    ],
    "data": [{"name": "/etc/passwd"}, {"name": "moons", "noise": -1}],
    "network": [{"text": "2-999999999-2"}, {"text": "2-" * 400 + "2"}, {"text": "__import__(1)"}, {"text": ""}, {"text": 3}],
    "nudge": [{"count": 0}, {"rate": -1}, {"rate": float("nan")}, {"count": "a"}],
    "show": [
        {"name": "x", "value": 1},
        {"name": "screen", "value": "a" * 201},
        {"name": "screen", "value": []},
        {"name": "screen"},
    ],
    "draw": [
        {"strokes": 3},
        {"strokes": [[[1, 2, 3]]]},
        {"strokes": [[["a", "b"]]]},
        {"strokes": [[[0, 0]]] * 101},
        {"strokes": [[[float("nan"), 0]]]},
    ],
    "guess": [{"label": -1}, {"label": 3}],
    "another": [{}],
    "paint": [{"weights": [1, 2]}, {"weights": [1e9] * 784}, {"weights": "a"}],
    "edge": [{"row": 40}, {"length": -1}],
    "table": [
        {"name": "a", "content": "%"},
        {"name": 3, "content": ""},
        {"name": "/etc/passwd", "content": ""},
        {"name": "/etc/passwd"},
    ],
    "take_table": [{"target": "x"}, {"target": "/etc/passwd", "missing": "what"}],
    "point": [
        {"x": [1], "y": 0},
        {"x": [1, 2], "y": 7},
        {"x": [float("nan"), 2], "y": 0},
        {"x": [1, 2], "y": 0.5},
        {"x": "ab", "y": 0},
    ],
    "exchange": [{}],
    "unbranch": [{}],
    "branch": [{"x": 1}],
    "open": [{"link": "AAAA"}, {"link": "../../x"}],
    "batch_size": [{"value": 0}, {"value": 10**9}],
    "learning_rate": [{"value": -1}, {"value": float("inf")}],
    "play": [{"speed": 0}],
    "seed": [{"value": -3}],
    "nothing": [{}],
    "__init__": [{}],
}
BODIES = [b"", b"[" * 100_000, b"x", b"[]", b"null", b'{"do": 3}', b'{"do": "forward", "with": 3}'] + [
    json.dumps({"do": name, "with": given}).encode() for name, several in WISHES.items() for given in several
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:60].decode())
def test_wrong_wishes_get_one_message_and_change_nothing(guarded, desk, entered, body):
    before = desk.session.hash, desk.session.step, len(desk.session.events)
    guarded._left = 100
    status, _, said = request(guarded, "POST", "/act", [*entered, JSON], body)
    assert status in {400, 422}, said
    assert json.loads(said)["error"]
    assert b"Traceback" not in said
    assert (desk.session.hash, desk.session.step, len(desk.session.events)) == before
