"""A sweep on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.display import Shown
from chainrule.errors import MissingPackageError


class RayExecutor(Shown):
    """Hands the trials of a sweep to Ray: `cr.sweep(..., executor=cr.sweeps.RayExecutor(), folder="/shared/sweep")`.

    Ray is joined, or started on this machine, where that was not done before (`ray.init`). options: what `ray.remote` takes for each
    trial, such as num_cpus=2 or num_gpus=1. Raises: MissingPackageError without the package ray.
    """

    def __init__(self, **options: Any) -> None:
        try:
            import ray
        except ImportError:
            raise MissingPackageError("a sweep by Ray", expected="the package ray", remedy="pip install ray") from None
        self._ray, self.options = ray, options

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """Has the function called somewhere in the cluster; gives a `concurrent.futures.Future`."""
        remote: Any = self._ray.remote(**self.options)(function) if self.options else self._ray.remote(function)
        return remote.remote(*arguments).future()
