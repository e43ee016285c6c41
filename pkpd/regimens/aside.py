"""What another thread does while the next is prepared: one piece of work at a time, for profiles are large."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

_R = TypeVar("_R")


class Aside:
    """A thread beside this one. When it is left, all is done; after an error what has not begun is let go."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._last: Future[Any] | None = None

    def begin(self, work: Callable[[], _R]) -> Future[_R]:
        """Begin with `work` once the one before is done; raises what that one raised."""
        if self._last is not None:
            self._last.result()
        self._last = found = self._thread.submit(work)
        return found

    def __enter__(self) -> "Aside":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=error is not None)
