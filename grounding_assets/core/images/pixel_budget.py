"""How many decoded pixels a process holds at a time, whatever number of threads reads images."""

import threading


class PixelBudget:
    """Room for a number of decoded pixels, taken before decoding and given back afterwards. First come, first served.

    >>> budget = PixelBudget(100)
    >>> large = budget.take(1000)  # more than there is: it waits to be alone
    >>> budget.give_back(large)
    >>> budget.take(60), budget.free
    (60, 40)
    """

    def __init__(self, pixels: int):
        self._all = self._free = pixels
        self._changed = threading.Condition()
        self._turn = threading.Lock()  # a large image is not passed by small ones for ever

    @property
    def free(self) -> int:
        """Pixels that nobody holds."""
        return self._free

    def take(self, pixels: int) -> int:
        """Waits until there is room; returns what to give back. A thread that holds some must not ask for more."""
        held = min(pixels, self._all)
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._free >= held)
            self._free -= held
        return held

    def give_back(self, held: int) -> None:
        """What `take` returned, once."""
        with self._changed:
            self._free += held
            self._changed.notify_all()
