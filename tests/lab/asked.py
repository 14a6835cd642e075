"""What the tests of the lab's page ask of it."""

import time

import chainrule as cr


def training():
    return cr.Training("2-4-3-2 tanh softmax", cr.data.moons(n=80), batch_size=10, optimizer=cr.Adam(0.01))


def until(holds, seconds=20):
    """Waits until something holds; the page's policy forbids that it is asked inside the browser."""
    ends = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.02)
    return found


def shown(page, name):
    """A number that stands on the page, with four digits: compared to a thousandth of its size."""
    return float(page.inner_text(f"#{name}").replace("−", "-"))


def click(page, name, step):
    page.click(f"#{name}")
    until(lambda: shown(page, "stepnumber") == step)
