"""Nothing that these tests compile is written into the user's cache."""

import pytest


# Of a module and not of a test: what a module compiles once for all its tests must not reach the cache either.
@pytest.fixture(scope="module", autouse=True)
def no_cache():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAINRULE_CACHE", "off")
        yield
