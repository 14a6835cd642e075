"""The network of an example in three libraries' words: which network is shown, and what is said where a library lacks a layer."""

import html
import re

import pytest

import chainrule as cr
from chainrule.examples import EXAMPLES
from chainrule.examples.code import code_section
from chainrule.nn import Function, to_code
from chainrule.ops import mean, tanh
from chainrule.train import Training


def written(section):
    """The code in the section by the words above it."""
    found = re.findall(r"<summary>(.*?)</summary><pre><code>(.*?)</code></pre>", section.html(), re.DOTALL)
    return {title: html.unescape(code) for title, code in found}


def of(*networks):
    return code_section({f"<{number}>": Training(net, cr.data.xor()) for number, net in enumerate(networks)})


def test_the_code_is_that_of_to_code_line_by_line():
    net = cr.nn.parse_network("2-4-1 tanh sigmoid")
    found = written(of("2-4-1 tanh sigmoid"))
    assert found["PyTorch"] == to_code(net, "pytorch")
    assert found["Keras"] == to_code(net, "keras")
    names = {}
    exec(found["chainrule"], names)
    assert names["network"] == net


def test_the_first_network_that_all_have_is_shown():
    section = of(cr.Sequential(cr.Dense(1, "step")), cr.Sequential(cr.Dense(3, "tanh"), cr.Dense(1)))
    assert "torch.nn.Linear(2, 3)" in written(section)["PyTorch"]
    assert "&lt;1&gt;" in section.html()


def test_what_a_library_lacks_is_said():
    section = of(cr.Sequential(cr.Dense(1, "step")))
    assert list(written(section)) == ["chainrule"]
    assert "Layer dense1, Dense, in PyTorch: activation &quot;step&quot;." in section.html()
    # A function of ours entry by entry is read off the graph.
    assert list(written(of(cr.Sequential(cr.Dense(1), Function(tanh))))) == ["PyTorch", "Keras"]
    own = of(cr.Sequential(cr.Dense(1), Function(lambda a: a - mean(a, 0, keepdims=True))))
    assert not written(own)
    assert "functions of its own" in own.html()
    assert "to_peer" not in own.html()


@pytest.mark.parametrize("name", ["convolution", "denoising", "gradients-in-time"])
def test_lectures_examples_are_there_in_three_libraries(name):
    assert list(written(code_section(EXAMPLES[name].trainings(0)))) == ["chainrule", "PyTorch", "Keras"]
