"""Makes a failing script short."""
import time


def shrink(items, fails, seconds, clock=time.monotonic):
    """A part of `items`, in their order, for which `fails` still holds: none of it can be left out, or time was up.

    Delta debugging by complements: leaves out ever smaller pieces, and starts again with larger ones after a success.
    """
    end = clock() + seconds
    size = max(len(items) // 2, 1)
    while items and clock() < end:
        at, shorter = 0, False
        while at < len(items) and clock() < end:
            rest = items[:at] + items[at + size:]
            if fails(rest):
                items, shorter = rest, True
            else:
                at += size
        if size > 1:
            size //= 2
        elif not shorter:
            break
    return items
