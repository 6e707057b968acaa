"""The training text: real multi-topic text from Debian 12 packages, and generated encodings, logs and sums.

It is never committed: only what is trained on it is. Documents are about 3,500 characters, as JSON lines
{"topic", "text"}; one in 50 is held out for measuring.
"""

from __future__ import annotations

import gettext
import gzip
import html
import json
import random
import re
import subprocess
from pathlib import Path
from typing import Callable, Iterable, Iterator

from .generators import TRAINING_GENERATORS

PACKAGES = (
    "debian-handbook installation-guide-amd64 postgresql-doc-15 dict-jargon fortunes fortunes-ru manpages-zh manpages-fr "
    "gimp-help-el gimp-help-fr gimp-help-ko gimp-help-ru gimp-help-zh-cn libreoffice-l10n-ar libreoffice-l10n-he "
    "iso-codes golang-1.19-src perl-modules-5.36 libpython3.11-stdlib linux-libc-dev libc6-dev libglib2.0-dev libgtk-3-dev "
    "libjs-jquery libjs-d3 libjs-underscore libjs-prototype bash-completion initramfs-tools-core debootstrap "
    "texlive-science-doc texlive-latex-recommended-doc bowtie2-examples"
).split()
DOCUMENT = 3_500
HELD_OUT_EVERY = 50


def fetch(packages_root: Path) -> None:
    """Downloads and unpacks the packages without installing them."""
    archive = packages_root.parent / "deb"
    archive.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        if not any(archive.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "download", package], cwd=archive, check=True)
        for deb in archive.glob(f"{package}_*.deb"):
            subprocess.run(["dpkg", "-x", deb, packages_root], check=True)


def read(path: Path) -> str:
    raw = gzip.decompress(path.read_bytes()) if path.suffix in (".gz", ".dz") else path.read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def cut(text: str) -> Iterator[str]:
    """Pieces of about `DOCUMENT` characters that end at the end of a line."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + DOCUMENT)
        end = len(text) if end < 0 or end > start + 2 * DOCUMENT else end + 1
        piece = text[start : min(end, start + 2 * DOCUMENT)]
        if len(piece.strip()) >= 200:
            yield piece
        start += len(piece)


def without_markup(text: str) -> str:
    text = re.sub(r"(?is)<(script|style|head|nav).*?</\1>", " ", text)
    text = re.sub(r"(?i)<(p|br|li|h\d|div|tr|pre|dt|dd)\b[^>]*>", "\n", text)
    text = html.unescape(re.sub(r"<[^>]+>", "", text))
    return re.sub(r"\n\s*\n\s*", "\n\n", re.sub(r"[ \t]+", " ", text)).strip()


def without_troff(text: str) -> str:
    lines = (line for line in text.splitlines() if not line.startswith((".", "'")) and line.strip())
    return re.sub(r"\\f[A-Z]|\\-|\\&", "", "\n".join(lines))


def catalogue_strings(path: Path) -> str:
    with path.open("rb") as file:
        messages = gettext.GNUTranslations(file)._catalog
    return "\n".join(value.replace("~", "").replace("_", "") for key, value in messages.items() if key and isinstance(value, str))


def in_script(low: int, high: int) -> Callable[[str], str]:
    """Keeps the lines that are mostly of one script: translations are often half in English."""

    def keep(text: str) -> str:
        def share(line: str) -> float:
            return sum(low <= ord(c) <= high for c in line) / (sum(c.isalpha() for c in line) + 1)

        return "\n".join(line for line in text.splitlines() if share(line) > 0.4)

    return keep


ARABIC, HEBREW, KOREAN = in_script(0x600, 0x6FF), in_script(0x590, 0x5FF), in_script(0xAC00, 0xD7A3)
GREEK, RUSSIAN, CHINESE = in_script(0x370, 0x3FF), in_script(0x400, 0x4FF), in_script(0x4E00, 0x9FFF)


def sources(root: Path) -> dict[str, tuple[int, Iterable[str]]]:
    """For each topic, the characters wanted and the texts to take them from."""
    share = root / "usr/share"
    books, help_pages = share / "doc/debian-handbook/html", share / "gimp/2.0/help"

    def files(base: Path, *patterns: str) -> Iterator[Path]:
        for pattern in patterns:
            yield from sorted(p for p in base.glob(pattern) if p.is_file() and not p.is_symlink())

    def texts(base: Path, *patterns: str, then: Callable[[str], str] = str) -> Iterator[str]:
        return (then(read(path)) for path in files(base, *patterns))

    def handbook(language: str, then: Callable[[str], str] = str) -> Iterator[str]:
        yield from texts(books / language, "*.html", then=lambda t: then(without_markup(t)))

    def installation(language: str, then: Callable[[str], str] = str) -> Iterator[str]:
        guide = share / "doc/installation-guide-amd64" / language
        yield from texts(guide, "*.html", "html/*.html", then=lambda t: then(without_markup(t)))

    def gimp(language: str, then: Callable[[str], str]) -> Iterator[str]:
        yield from texts(help_pages / language, "*.html", then=lambda t: then(without_markup(t)))

    def messages(language: str, then: Callable[[str], str]) -> Iterator[str]:
        bases = [root / "usr/lib/libreoffice/program/resource", share / "locale"]
        for base in bases:
            yield from (then(catalogue_strings(p)) for p in files(base / language / "LC_MESSAGES", "*.mo"))

    def chained(*parts: Iterable[str]) -> Iterator[str]:
        for part in parts:
            yield from part

    def reads() -> Iterator[str]:
        lines = read(share / "doc/bowtie2/examples/reads/longreads.fq.gz").splitlines()[1::4]
        return ("\n".join(line[i : i + 70] for line in lines[k : k + 30] for i in range(0, len(line), 70)) for k in range(0, len(lines), 30))

    m = 1_000_000
    return {
        "english": (2 * m, chained(handbook("en-US"), texts(share / "games/fortunes", "[a-z]*[a-z]"), texts(share / "dictd", "*.dz"), installation("en"))),
        "manual": (m, texts(share / "doc/postgresql-doc-15/html", "*.html", then=without_markup)),
        "html": (2 * m, chained(texts(share / "doc/postgresql-doc-15/html", "s*.html"), texts(books / "en-US", "*.html"), texts(help_pages / "fr", "*.html"))),
        "french": (3 * m // 2, chained(handbook("fr-FR"), gimp("fr", str), installation("fr"))),
        "german": (m // 2, chained(handbook("de-DE"), installation("de"))),
        "spanish": (m // 2, chained(handbook("es-ES"), installation("es"))),
        "russian": (3 * m // 2, chained(handbook("ru-RU", RUSSIAN), texts(share / "games/fortunes", "ru/*", "*ru*", then=RUSSIAN), gimp("ru", RUSSIAN), installation("ru", RUSSIAN))),
        "greek": (3 * m // 4, chained(gimp("el", GREEK), installation("el", GREEK))),
        "chinese": (3 * m // 4, chained(handbook("zh-CN", CHINESE), gimp("zh_CN", CHINESE), installation("zh_CN", CHINESE), texts(share / "man/zh_CN", "man*/*.gz", then=lambda t: CHINESE(without_troff(t))))),
        "korean": (3 * m // 4, chained(handbook("ko-KR", KOREAN), gimp("ko", KOREAN), installation("ko", KOREAN))),
        "japanese": (m // 4, chained(handbook("ja-JP"), installation("ja"))),
        "arabic": (m, chained(handbook("ar-MA", ARABIC), messages("ar", ARABIC))),
        "hebrew": (m, messages("he", HEBREW)),
        "troff": (m // 2, texts(share / "man/fr", "man*/*.gz")),
        "legal": (m, chained(texts(Path("/usr/share/common-licenses"), "*"), texts(share / "doc", "*/copyright"))),
        "python": (3 * m // 2, texts(root / "usr/lib/python3.11", "*.py", "*/*.py")),
        "c": (3 * m // 2, texts(root / "usr/include", "*.h", "linux/*.h", "glib-2.0/*/*.h", "gtk-3.0/gtk/*.h", "x86_64-linux-gnu/*/*.h")),
        "go": (m // 2, texts(share / "go-1.19/src", "net/*/*.go", "go/*/*.go", "encoding/*/*.go")),
        "perl": (m // 2, texts(share / "perl/5.36.0", "*.pm", "*/*.pm")),
        "javascript": (m // 2, texts(share / "javascript", "*/jquery.js", "*/d3.js", "*/underscore.js", "*/prototype*.js")),
        "shell": (m, chained(texts(share / "bash-completion", "completions/*", "bash_completion"), texts(share / "initramfs-tools", "**/*"), texts(share / "debootstrap", "**/*"))),
        "json": (m, texts(share / "iso-codes/json", "iso_*.json")),
        "latex": (3 * m // 2, texts(share / "doc", "texlive-doc/**/*.tex.gz", "texlive-doc/**/*.tex")),
        "dna-reads": (m // 4, reads()),
    }


def gather(packages_root: Path, out: Path, seed: int) -> None:
    r = random.Random(seed)
    documents: list[dict[str, str]] = []
    for topic, (wanted, texts) in sources(packages_root).items():
        pieces = list(dict.fromkeys(piece for text in texts for piece in cut(text)))
        r.shuffle(pieces)
        taken = 0
        for piece in pieces:
            if taken >= wanted:
                break
            documents.append({"topic": topic, "text": piece})
            taken += len(piece)
        print(f"{topic}: {taken} of {wanted} characters", flush=True)
    for topic, generate in TRAINING_GENERATORS.items():
        taken = 0
        while taken < 900_000 if topic not in ("uuid", "dates", "csv") else taken < 300_000:
            documents.append({"topic": topic, "text": generate(r)})
            taken += len(documents[-1]["text"])
        print(f"{topic}: {taken} characters, generated", flush=True)
    r.shuffle(documents)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "train.jsonl").open("w") as train, (out / "held-out.jsonl").open("w") as held_out:
        for number, document in enumerate(documents):
            print(json.dumps(document, ensure_ascii=False), file=held_out if number % HELD_OUT_EVERY == 0 else train)
