"""Physical memory of the simulated machine: sparse, zero until written, in 4 KiB pages.

Holds what the drivers write (page tables); lines of channels and data live in the coherence model, which
knows who sees what of them.

May not know: addresses' meaning.
"""

from __future__ import annotations

PAGE = 4096


class SparseMemory:
    """Bytes by physical address."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes at `address`."""
        page, offset = divmod(address, PAGE)
        if offset + size <= PAGE:
            found = self._pages.get(page)
            return bytes(size) if found is None else bytes(found[offset : offset + size])
        head = PAGE - offset
        return self.read(address, head) + self.read(address + head, size - head)

    def write(self, address: int, data: bytes) -> None:
        """Store `data` at `address`."""
        page, offset = divmod(address, PAGE)
        head = min(len(data), PAGE - offset)
        self._pages.setdefault(page, bytearray(PAGE))[offset : offset + head] = data[:head]
        if head < len(data):
            self.write(address + head, data[head:])

    def zero(self, address: int, size: int) -> None:
        """Clear `size` bytes; whole pages are forgotten."""
        end = address + size
        while address < end:
            page, offset = divmod(address, PAGE)
            step = min(end - address, PAGE - offset)
            if step == PAGE:
                self._pages.pop(page, None)
            elif page in self._pages:
                self._pages[page][offset : offset + step] = bytes(step)
            address += step
