"""`chainrule lab` as a process: the link opens the page once, nothing else does, and Ctrl-C ends it."""

import http.cookiejar
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

import chainrule as cr
from chainrule.cli.lab import _training
from chainrule.lab.desk import Desk
from chainrule.lab.session import Session

WISH = (b'{"do": "forward"}', {"content-type": "application/json"})


def fetched(opener, address):
    try:
        with opener.open(address, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_the_printed_link_opens_the_page_and_ctrl_c_ends_it(tmp_path):
    asked = [sys.executable, "-m", "chainrule", "lab", "moons", "--network", "2-3-2", "--no-browser", "--hall"]
    with subprocess.Popen(asked, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        link = process.stdout.readline().split()[-1]
        base = link.partition("/?")[0]
        stranger = urllib.request.build_opener()
        assert fetched(stranger, f"{base}/state")[0] == 403
        friend = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        status, page = fetched(friend, link)
        assert status == 200
        assert b"chainrule lab" in page
        assert json.loads(fetched(friend, f"{base}/state")[1])["network"] == "2-3-2"
        assert fetched(stranger, link)[0] == 403
        assert process.stdout.readline().startswith("Ctrl-C")
        hall = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        assert fetched(hall, process.stdout.readline().split()[-1])[0] == 200
        acted = [fetched(opener, urllib.request.Request(f"{base}/act", *WISH))[0] for opener in (hall, friend)]
        assert acted == [403, 200]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_a_run_goes_on_in_the_lab_where_it_stands(tmp_path):
    run = cr.fit("2-3-2 tanh softmax", cr.data.moons(n=60), epochs=3, loss=cr.CrossEntropy() + cr.L2(0.01), folder=tmp_path)
    session = Session(_training(str(run.folder), None, None, None, {}))
    assert session.training.network == "2-3-2 tanh softmax"
    assert session.hash == run.hash
    session.forward(10)
    assert cr.open_run(run.folder).hash == run.hash  # the run itself stays as it is
    desk = Desk(session)
    desk.act("network", {"text": "2-5-2 tanh softmax"})
    assert "0.01·Σ w²" in desk.state()["formula"]
    desk.act("penalty", {"factor": 0.0})
    assert "Σ w²" not in desk.state()["formula"]
    desk.act("seed", {"value": 3})
    desk.close()


def test_a_loss_that_was_asked_for_stays(tmp_path):
    run = cr.fit("1-3-1 tanh", cr.data.curve("sin", n=20), epochs=1, loss=cr.Huber(0.5), folder=tmp_path)
    desk = Desk(Session(_training(str(run.folder), None, None, None, {})))
    desk.act("network", {"text": "1-4-1 tanh"})
    desk.act("penalty", {"factor": 0.1})
    assert [type(loss) for loss in desk.session.training.problem.objective.losses] == [cr.Huber]
    desk.close()


@pytest.mark.parametrize(
    ("data", "network"),
    [("moons", "2-6-4-2 tanh softmax"), ("curve", "1-6-4-1 tanh"), ("bars_and_stripes", "16-6-4-2 tanh softmax")],
)
def test_a_network_is_small_enough_to_be_seen(data, network):
    assert _training(data, None, None, None, {}).network == network
