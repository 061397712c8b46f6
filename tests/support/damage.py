"""Bytes damaged at random, for readers that must say so or read them."""

PIECES = [b"", b"0", b"-", b'"', b"'", b"\n", b"\r", b"\0", b"\xff", b"[", b"]", b"{", b"}", b"=", b",", b"#", b".",
          b"nan", b"1e999", b"1/0", b"to", b"state", b"true", b"9" * 20, b"\xe2\x80\xae", b"a", b"_"]  # fmt: skip


def damage(data, rng):
    """A few bytes changed, dropped, doubled or moved."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            data[at : at + rng.choice([0, 1, 3])] = rng.choice(PIECES)
        elif kind == 2:
            del data[at : at + rng.choice([1, 2, 8, 40])]
        elif kind == 3:
            data[at:at] = data[at : at + rng.choice([1, 5, 30])]
        else:
            other = rng.randrange(len(data) + 1)
            data[at:at] = data[other : other + rng.choice([1, 5, 30])]
    return bytes(data)
