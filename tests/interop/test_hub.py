"""Runs up to the Hugging Face hub and down: against a server on this machine that answers as the hub does, with its own client."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

import chainrule as cr
from chainrule.errors import DataError, FileFormatError, MissingFileError, MissingPackageError, OptionError, UnwritableFileError
from chainrule.interop.hub import card

hub = pytest.importorskip("huggingface_hub")


class Hub(BaseHTTPRequestHandler):
    """A repository: what was committed, by the hash of the commit."""

    commits: dict[str, dict[str, bytes]]
    asked: list[str]

    def log_message(self, *args):
        pass

    def answer(self, body, status=200, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(data)),
            **{key.replace("_", "-"): item for key, item in headers.items()},
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_POST(self):
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append(f"POST {path} {body[:200].decode(errors='replace')}")
        if path == "/api/repos/create":
            given = json.loads(body)
            self.answer({"url": f"{self.server.url}/ada/{given['name']}", "name": f"ada/{given['name']}", "id": "1"})
        elif "/preupload/" in path:
            files = [
                {"path": item["path"], "uploadMode": "regular", "shouldIgnore": False} for item in json.loads(body)["files"]
            ]
            self.answer({"files": files})
        elif "/commit/" in path:
            lines = [json.loads(line) for line in body.splitlines()]
            files = {row["value"]["path"]: base64.b64decode(row["value"]["content"]) for row in lines if row["key"] == "file"}
            name = hashlib.sha1(body).hexdigest()
            self.commits[name] = files
            self.answer({"commitUrl": f"{self.server.url}/ada/moons/commit/{name}", "commitOid": name, "hookOutput": ""})
        else:
            self.answer({})

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        self.asked.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        if path.startswith("/api/models/") and "tree" in parts and parts[5] in self.commits:
            files = self.commits[parts[5]]
            rows = [{"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in files.items()]
            self.answer([{"type": "directory", "path": "snapshots", "oid": "0" * 40}, *rows])
        elif parts[4:] == ["revision", "main"]:  # older clients ask how files are uploaded
            self.answer({"id": "ada/moons", "sha": "0" * 40, "xetEnabled": False, "tags": [], "siblings": []})
        elif parts[2:3] == ["resolve"] and "/".join(parts[4:]) in self.commits.get(parts[3], {}):
            data = self.commits[parts[3]]["/".join(parts[4:])]
            self.answer(data, ETag=f'"{hashlib.sha1(data).hexdigest()}"', X_Repo_Commit=parts[3])
        else:
            self.answer({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")

    do_HEAD = do_GET


@pytest.fixture(scope="module")
def hub_here(tmp_path_factory):
    """One server for all: older clients remember where the first one was."""
    kind = type("Mine", (Hub,), {"commits": {}, "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as found, pytest.MonkeyPatch.context() as patch:
        found.url = f"http://127.0.0.1:{found.server_port}"
        pattern = found.url + "/{repo_id}/resolve/{revision}/{filename}"
        place = tmp_path_factory.mktemp("hub")
        for name, value in (
            ("ENDPOINT", found.url), ("HUGGINGFACE_CO_URL_TEMPLATE", pattern), ("HF_HUB_CACHE", str(place / "cache")),
            ("HF_TOKEN_PATH", str(place / "none")),
        ):  # fmt: skip
            patch.setattr(f"huggingface_hub.constants.{name}", value)
        patch.setenv("HF_TOKEN", "of-nobody")
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield kind
        found.shutdown()
        thread.join()


@pytest.fixture
def server(hub_here):
    hub_here.commits.clear()
    hub_here.asked.clear()
    return hub_here


@pytest.fixture(scope="module")
def run():
    return cr.fit("2-4-2 tanh softmax", cr.data.moons(60), optimizer=cr.Adam(0.02), epochs=4, replicas=2)


def test_a_run_goes_up_and_comes_down_with_the_same_bits(server, run, tmp_path):
    commit = cr.to_hub(run, "ada/moons")
    assert run.folder is None
    files = server.commits[commit]
    assert {"README.md", "config.json", "environment.json", "history.jsonl"} <= set(files)
    assert not [name for name in files if not name.endswith((".json", ".jsonl", ".safetensors", ".md"))]
    assert '"private"' in next(line for line in server.asked if "create" in line)
    back = cr.from_hub("ada/moons", revision=commit, data=cr.data.moons(60))
    assert (back.hash, back.folder) == (run.hash, None)
    assert back.settings == run.settings
    assert len(back.history.epochs) == 4
    assert back.predict([[0.1, 0.2]]).tolist() == run.predict([[0.1, 0.2]]).tolist()
    kept = cr.from_hub("ada/moons", revision=commit, folder=tmp_path)
    assert kept.folder.parent == tmp_path
    assert cr.resume(kept.folder, epochs=6, data=cr.data.moons(60)).hash == run.branch(run.trainer.step, epochs=6).hash


def test_a_run_that_has_a_folder_keeps_it(server, tmp_path):
    run = cr.fit("2-3-2 tanh softmax", "moons", epochs=1, folder=tmp_path)
    before = run.folder
    commit = cr.to_hub(run, "ada/moons", private=False, message="mine")
    assert run.folder == before
    assert str(tmp_path) not in b"".join(server.commits[commit].values()).decode(errors="replace")
    assert (
        cr.from_hub("ada/moons", revision=commit).evaluate("test").scores.values["loss"]
        == run.evaluate("test").scores.values["loss"]
    )


def test_the_card_says_what_it_is(run):
    text = card(run, "ada/moons")
    assert text.startswith("---\nlibrary_name: chainrule\n")
    assert 'cr.from_hub("ada/moons", revision=' in text
    assert "| optimizer.learning\\_rate | 0.02 |" in text
    assert run.hash in text
    assert "| test | accuracy | " in text
    hostile = cr.data.from_arrays([[0.0], [1.0]] * 5, [0, 1] * 5, name="[x](http://a) <script> | `")
    bad = card(cr.fit("1-2:softmax", hostile, epochs=1), "ada/moons")
    assert "<script>" not in bad.replace("\\<script\\>", "")
    assert "[x](" not in bad


@pytest.mark.parametrize("revision", ["main", "v1", "", "4f0c1f3", "G" * 40])
def test_a_branch_is_refused(revision):
    with pytest.raises(OptionError, match="40 hexadecimal"):
        cr.from_hub("ada/moons", revision=revision)


@pytest.mark.parametrize("name", ["moons", "a/b/c", "../etc", "ada/moons?x", ""])
def test_a_name_is_an_owner_and_a_name(name):
    with pytest.raises(OptionError, match="owner/name"):
        cr.from_hub(name, revision="0" * 40)


def test_what_is_not_there_and_what_is_no_run(server, run):
    with pytest.raises(MissingFileError, match="cannot be read"):
        cr.from_hub("ada/moons", revision="0" * 40)
    server.commits["1" * 40] = {"pytorch_model.bin": b"\x80\x04.", "evil.py": b"1/0"}
    with pytest.raises(FileFormatError, match="no run"):
        cr.from_hub("ada/moons", revision="1" * 40)
    commit = cr.to_hub(run, "ada/moons")
    with pytest.raises(FileFormatError, match=r"most_bytes=\d+"):
        cr.from_hub("ada/moons", revision=commit, most_bytes=1000)
    files = server.commits[commit]
    server.commits["2" * 40] = files | {"evil.py": b"1/0", "snapshots/../../evil": b"", "model.pkl": b"\x80\x04."}
    server.asked.clear()
    assert cr.from_hub("ada/moons", revision="2" * 40, data=cr.data.moons(60)).hash == run.hash
    assert not [line for line in server.asked if "evil" in line or "pkl" in line]
    server.commits["3" * 40] = files | {name: data[:-7] for name, data in files.items() if name.endswith(".safetensors")}
    with pytest.raises((FileFormatError, DataError)):
        cr.from_hub("ada/moons", revision="3" * 40, data=cr.data.moons(60))


def test_a_hub_that_is_not_reached(monkeypatch, run):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)  # it tries five times
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(MissingFileError, match="cannot be read"):
        cr.from_hub("ada/moons", revision="0" * 40)
    with pytest.raises(UnwritableFileError, match="cannot be written"):
        cr.to_hub(run, "ada/moons")


def test_without_the_client_it_says_what_to_install(monkeypatch, run):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(MissingPackageError, match=r"chainrule\[hub\]"):
        cr.to_hub(run, "ada/moons")
