"""Tasks side by side, one of which may wait for another to come to a point."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from deploy.setup.failures import SetupFailed
from deploy.setup.programs import Programs


class Gate:
    """Closed until one task opens it; who waits goes on then, or fails if the other task failed."""

    def __init__(self) -> None:
        self._opened: Future[bool] = Future()

    def open(self) -> None:
        """Let those that wait go on."""
        self._opened.set_result(True)

    def give_up(self) -> None:
        """It will not be opened any more."""
        if not self._opened.done():
            self._opened.set_result(False)

    def wait(self) -> None:
        """Wait until it is open.

        Raises:
            SetupFailed: it will not be.
        """
        if not self._opened.result():
            raise SetupFailed("stopped")


def together(programs: Programs, gates: Sequence[Gate], *tasks: Callable[[], None]) -> None:
    """Run ``tasks`` side by side; the first failure ends the others and is raised."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        running = [pool.submit(task) for task in tasks]
        try:
            done, _ = wait(running, return_when=FIRST_EXCEPTION)
            for task in done:
                task.result()
        except BaseException:
            programs.stop()
            for gate in gates:
                gate.give_up()
            raise
