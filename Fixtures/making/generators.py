"""Seeded generators of text that is not language: encodings, sequences, logs, sums.

Both the training text and the corpus use them, with different seeds, so no document of one is in the other.
"""

from __future__ import annotations

import base64
import datetime
import random
import string
import uuid

Random = random.Random

WORDS = (
    "account archive balance battery bridge buffer cable camera canal candle carrier catalogue channel circuit climate cluster "
    "column compass contract copper corridor cursor delta device district engine estimate exchange fabric factor ferry filter "
    "forest fraction gallery garden gateway glacier granite harbour harvest horizon index island journal junction kernel kitchen "
    "ladder lantern ledger library machine margin market matrix measure meadow memory meter mirror module mountain needle network "
    "notebook object orbit orchard packet palette parcel pattern pencil pipeline planet platform pocket portal printer process "
    "profile quarry quota radar railway record region registry reservoir resource ribbon river router sample satellite scanner "
    "schedule sector sensor session shelter signal silver socket spectrum station storage stream summary surface switch symbol "
    "table target teacher temple terminal ticket timber token tower tractor treaty tunnel turbine update valley vector vessel "
    "village volume voyage wagon warehouse weather window winter workshop"
).split()
GIVEN_NAMES = (
    "Agnes Bram Clara Dmitri Elena Farid Greta Hugo Ines Jonas Kamala Lev Mira Nadia Oskar Petra Quentin Rosa Samir Tomas Ursula "
    "Viktor Wanda Xenia Yusuf Zofia"
).split()
FAMILY_NAMES = (
    "Abend Brook Castell Dorn Eriksen Falk Grau Hollis Iversen Jansky Kessler Lindqvist Marsh Novak Okafor Pell Quist Roth Sand "
    "Tanaka Ulrich Vance Weir Yardley Zeman"
).split()
HOSTS = "alder birch cedar ebony fir hazel juniper larch maple oak pine rowan spruce willow yew".split()
DOMAINS = ("example.org", "example.net", "example.com", "mail.example.org", "lab.example.net")
SERVICES = "sshd nginx postgres kernel cron dhclient systemd postfix haproxy redis backup indexer scheduler".split()


def words(r: Random, low: int, high: int) -> str:
    return " ".join(r.choice(WORDS) for _ in range(r.randint(low, high)))


def person(r: Random) -> str:
    return f"{r.choice(GIVEN_NAMES)} {r.choice(FAMILY_NAMES)}"


def address_of(r: Random, name: str) -> str:
    given, family = name.lower().split()
    return f"{r.choice((given, given[0] + '.' + family, given + '.' + family, family))}@{r.choice(DOMAINS)}"


def moment(r: Random) -> datetime.datetime:
    return datetime.datetime(2015, 1, 1) + datetime.timedelta(seconds=r.randrange(12 * 365 * 86_400))


def ip(r: Random) -> str:
    return f"{r.choice(('10.0', '192.168', '172.16', '198.51'))}.{r.randrange(256)}.{r.randrange(1, 255)}"


def wrapped(text: str, width: int) -> str:
    return "\n".join(text[i : i + width] for i in range(0, len(text), width))


def payload(r: Random, size: int) -> bytes:
    """Bytes to encode: random ones, repeated records, or text, which encode to quite different letters."""
    kind = r.randrange(4)
    if kind == 0:
        return r.randbytes(size)
    if kind == 1:
        return words(r, size // 7 + 1, size // 6 + 2).encode()[:size]
    if kind == 2:
        record = r.randbytes(r.choice((6, 9, 12, 16)))
        return b"".join(record + r.randrange(65_536).to_bytes(3, "little") for _ in range(size // (len(record) + 3) + 1))[:size]
    return "".join(f'{{"{r.choice(WORDS)}": {r.randrange(10_000)}}},' for _ in range(size // 15 + 1)).encode()[:size]


def base64_block(r: Random, size: int) -> str:
    encoded = base64.b64encode(payload(r, size)).decode()
    return wrapped(encoded, r.choice((64, 76, 76, 76))) if r.random() < 0.8 else encoded


def base64_document(r: Random) -> str:
    kind = r.randrange(5)
    if kind == 0:
        label = r.choice(("CERTIFICATE", "PUBLIC KEY", "MESSAGE", "CERTIFICATE REQUEST"))
        blocks = [f"-----BEGIN {label}-----\n{wrapped(base64.b64encode(r.randbytes(r.randint(300, 900))).decode(), 64)}\n-----END {label}-----" for _ in range(r.randint(1, 3))]
        return "\n".join(blocks) + "\n"
    if kind == 1:
        return "\n".join(f"data:image/{r.choice(('png', 'gif', 'jpeg'))};base64,{base64.b64encode(payload(r, r.randint(200, 700))).decode()}" for _ in range(r.randint(2, 4)))
    if kind == 2:
        return "\n".join(base64.b64encode(payload(r, r.choice((12, 16, 20, 32, 48)))).decode() for _ in range(r.randint(25, 60)))
    return base64_block(r, r.randint(800, 2600)) + "\n"


def hex_document(r: Random) -> str:
    kind = r.randrange(4)
    data = payload(r, r.randint(500, 1100))
    if kind == 0:
        lines = []
        for offset in range(0, min(len(data), 560), 16):
            row = data[offset : offset + 16]
            text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
            lines.append(f"{offset:08x}  {' '.join(f'{b:02x}' for b in row[:8])}  {' '.join(f'{b:02x}' for b in row[8:])}  |{text}|")
        return "\n".join(lines) + "\n"
    if kind == 1:
        return "\n".join(f"{r.randbytes(r.choice((20, 32))).hex()}  {r.choice(WORDS)}/{r.choice(WORDS)}.{r.choice(('tar', 'bin', 'img', 'db'))}" for _ in range(r.randint(15, 30)))
    if kind == 2:
        return wrapped(data.hex() if r.random() < 0.7 else data.hex().upper(), r.choice((32, 64, 80)))
    return "\n".join(f"0x{r.randrange(2**64):016x}: " + " ".join(f"{r.randrange(2**32):08x}" for _ in range(4)) for _ in range(r.randint(15, 40)))


def dna_document(r: Random) -> str:
    """FASTA with the things real sequences have: biased composition, repeats, a reading frame now and then."""
    lower = r.random() < 0.2
    records = []
    for _ in range(r.randint(1, 3)):
        weights = r.choice(((30, 20, 20, 30), (25, 25, 25, 25), (20, 30, 30, 20), (38, 12, 12, 38)))
        bases: list[str] = []
        while len(bases) < r.randint(500, 1400):
            if r.random() < 0.06:
                bases += list("".join(r.choices("ACGT", k=r.randint(2, 4))) * r.randint(3, 9))
            elif r.random() < 0.05:
                bases += list("ATG" + "".join("".join(r.choices("ACGT", k=3)) for _ in range(20)) + r.choice(("TAA", "TAG", "TGA")))
            else:
                bases += r.choices("ACGT", weights, k=r.randint(10, 60))
        sequence = "".join(bases)
        name = f">{r.choice(('seq', 'contig', 'scaffold', 'read'))}_{r.randrange(10_000)} {r.choice(('length', 'len'))}={len(sequence)}"
        records.append(name + "\n" + wrapped(sequence.lower() if lower else sequence, r.choice((60, 70, 80))))
    return "\n".join(records) + "\n"


def log_message(r: Random) -> str:
    return r.choice(
        (
            lambda: f"Accepted publickey for {r.choice(GIVEN_NAMES).lower()} from {ip(r)} port {r.randint(1024, 65535)} ssh2",
            lambda: f"Failed password for invalid user {r.choice(WORDS)} from {ip(r)} port {r.randint(1024, 65535)}",
            lambda: f"connection to {r.choice(HOSTS)}:{r.choice((80, 443, 5432, 6379))} timed out after {r.randint(1, 60)}s",
            lambda: f"request id={r.randbytes(8).hex()} status={r.choice((200, 200, 200, 301, 404, 500, 503))} bytes={r.randrange(90_000)} took={r.randrange(2_000)}ms",
            lambda: f"segment {r.randrange(1_000):04d} flushed to /var/lib/{r.choice(WORDS)}/{r.choice(WORDS)}.db ({r.randrange(900)} rows)",
            lambda: f"out of memory: killed process {r.randrange(32_768)} ({r.choice(WORDS)})",
            lambda: f"retrying {r.choice(WORDS)} in {r.randint(1, 120)} seconds (attempt {r.randint(1, 9)} of 10)",
            lambda: f"checkpoint complete: wrote {r.randrange(9_000)} buffers ({r.random() * 100:.1f}%)",
            lambda: f"GET /{r.choice(WORDS)}/{r.choice(WORDS)}?page={r.randrange(90)} HTTP/1.1",
            lambda: f"eth0: link up, {r.choice((100, 1000, 10000))} Mbps, full duplex",
        )
    )()


def log_document(r: Random) -> str:
    kind, now, host = r.randrange(3), moment(r), r.choice(HOSTS)
    lines = []
    for _ in range(r.randint(15, 40)):
        now += datetime.timedelta(seconds=r.random() * 90)
        if kind == 0:
            lines.append(f"{now:%b %d %H:%M:%S} {host} {r.choice(SERVICES)}[{r.randrange(32_768)}]: {log_message(r)}")
        elif kind == 1:
            level = r.choice(("INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"))
            lines.append(f"{now:%Y-%m-%d %H:%M:%S},{r.randrange(1_000):03d} {level} [{r.choice(WORDS)}.{r.choice(WORDS)}] {log_message(r)}")
        else:
            path = f"/{r.choice(WORDS)}/{r.choice(WORDS)}.{r.choice(('html', 'css', 'png', 'js'))}"
            lines.append(f'{ip(r)} - - [{now:%d/%b/%Y:%H:%M:%S} +0000] "{r.choice(("GET", "GET", "POST"))} {path} HTTP/1.1" {r.choice((200, 200, 304, 404, 500))} {r.randrange(99_999)} "-" "Mozilla/5.0"')
    return "\n".join(lines) + "\n"


def arithmetic_document(r: Random) -> str:
    kind = r.randrange(4)
    lines = []
    for _ in range(r.randint(25, 70)):
        a, b, c = r.randrange(10 ** r.randint(1, 4)), r.randrange(1, 10 ** r.randint(1, 3)), r.randrange(1, 50)
        if kind == 0:
            operator = r.choice("+-*")
            lines.append(f"{a} {operator} {b} = {a + b if operator == '+' else a - b if operator == '-' else a * b}")
        elif kind == 1:
            lines.append(r.choice((f"({a} + {b}) * {c} = {(a + b) * c}", f"{a} / {b} = {a / b:.4f}", f"{a} mod {b} = {a % b}", f"{c}^2 = {c * c}")))
        elif kind == 2:
            lines.append(f"{r.choice('xyz')} = {a / 100:.2f}; {b} × {c} = {b * c}; √{c * c} = {c}")
        else:
            lines.append(" ".join(str(c + b * k) for k in range(r.randint(6, 14))))
    return "\n".join(lines) + "\n"


def uuid_document(r: Random) -> str:
    identifiers = [str(uuid.UUID(int=r.getrandbits(128), version=4)) for _ in range(r.randint(15, 45))]
    return "\n".join(i if r.random() < 0.8 else f"{i} {r.choice(WORDS)}" for i in identifiers) + "\n"


def date_document(r: Random) -> str:
    pattern = r.choice(("%Y-%m-%d", "%d/%m/%Y", "%A, %d %B %Y", "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%Y %H:%M", "%b %d, %Y"))
    return "\n".join(moment(r).strftime(pattern) + (f"  {words(r, 1, 3)}" if r.random() < 0.3 else "") for _ in range(r.randint(30, 70))) + "\n"


def csv_document(r: Random) -> str:
    names = r.sample(WORDS, r.randint(4, 7))
    rows = [",".join(["id", *names])]
    for number in range(1, r.randint(20, 45)):
        cells = [r.choice((str(r.randrange(1_000)), f"{r.random() * 100:.2f}", r.choice(WORDS), moment(r).strftime("%Y-%m-%d"))) for _ in names]
        rows.append(",".join([str(number), *cells]))
    return "\n".join(rows) + "\n"


def identifier(r: Random) -> str:
    return "_".join(r.sample(WORDS, r.randint(1, 2)))


def random_token(r: Random, size: int) -> str:
    return "".join(r.choice(string.ascii_letters + string.digits) for _ in range(size))


def email_headers(r: Random) -> str:
    sender, receiver, now = person(r), person(r), moment(r)
    lines = [
        f"From: {sender} <{address_of(r, sender)}>",
        f"To: {receiver} <{address_of(r, receiver)}>",
        f"Subject: {r.choice(('Re: ', '', '', 'Fwd: '))}{words(r, 2, 5).capitalize()}",
        f"Date: {now:%a, %d %b %Y %H:%M:%S} +0{r.randrange(10)}00",
        f"Message-ID: <{random_token(r, 16)}.{r.randrange(10**6)}@{r.choice(HOSTS)}.{r.choice(DOMAINS)}>",
    ]
    if r.random() < 0.5:
        lines.insert(0, f"Received: from {r.choice(HOSTS)}.{r.choice(DOMAINS)} ([{ip(r)}]) by {r.choice(HOSTS)} with ESMTP id {random_token(r, 10)}; {now:%a, %d %b %Y %H:%M:%S} +0000")
    lines += ["MIME-Version: 1.0", f"Content-Type: text/plain; charset={r.choice(('utf-8', 'us-ascii', 'iso-8859-1'))}"]
    return "\n".join(lines)


def email_skeleton(r: Random) -> str:
    """An e-mail whose body is words only: for training, where the form matters."""
    body = "\n".join(f"> {words(r, 4, 9)}" if r.random() < 0.3 else words(r, 6, 12).capitalize() + "." for _ in range(r.randint(4, 14)))
    name = person(r)
    return f"{email_headers(r)}\n\nHi {r.choice(GIVEN_NAMES)},\n\n{body}\n\nBest regards,\n{name}\n-- \n{name}\n{address_of(r, name)}\n"


TRAINING_GENERATORS = {
    "base64": base64_document,
    "hex": hex_document,
    "dna": dna_document,
    "logs": log_document,
    "arithmetic": arithmetic_document,
    "uuid": uuid_document,
    "dates": date_document,
    "csv": csv_document,
    "e-mail": email_skeleton,
}
