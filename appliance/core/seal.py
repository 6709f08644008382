"""How a backup is sealed: a recovery code that a person can write down, and a stream that it alone opens. Pure.

    the code      24 letters and digits in six groups: 112 random bits and 8 to catch a slip of the pen
    the file      one line of what it is, one of JSON, then the bytes in chunks, each under ChaCha20-Poly1305

The chunks are numbered and the last one is marked (the STREAM construction), so what was cut off, swapped or changed is
found at the chunk. The key is made of code and salt by HKDF: nothing has to be slow, for nobody chose the code.
"""

import base64
import hashlib
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from appliance.core.errors import Corrupt, OperatorError, Text

MAGIC: Final = b"songshan-backup-v1\n"
SEED_BYTES: Final = 14
SALT_BYTES: Final = 16
CHUNK_BYTES: Final = 1024 * 1024
TAG_BYTES: Final = 16
HEADER_BYTES_MAX: Final = 4096
_ALPHABET: Final = "ABCDEFGHJKMNPQRSTUVWXYZ234567890"
"""Base 32 without I, L, O and 1; who reads an O types 0."""
_STANDARD: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LOOKALIKES: Final = str.maketrans({"O": "0", " ": None, "-": None, "\n": None, "\t": None, "\r": None})


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The second line: what can be known without the code."""

    site: str
    made_at: str
    software: str
    salt: str
    """Base 64."""
    check: str
    """By it a wrong code is told from a damaged file."""


def code_text(seed: bytes) -> str:
    """`ABCD-EFGH-…`: how the code is shown."""
    assert len(seed) == SEED_BYTES
    text = base64.b32encode(seed + hashlib.sha256(seed).digest()[:1]).decode()
    text = text.translate(str.maketrans(_STANDARD, _ALPHABET))
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def parse_code(text: str) -> bytes:
    """What a person typed, in any case and grouping; OperatorError for a slip."""
    letters = text.upper().translate(_LOOKALIKES)
    wrong = OperatorError(
        Text("恢复码有误，请逐字核对", "the recovery code has a slip in it"),
        hint=Text("共 24 个字母和数字，分六组", "24 letters and digits in six groups"),
    )
    if len(letters) != 24 or not set(letters) <= set(_ALPHABET):
        raise wrong
    data = base64.b32decode(letters.translate(str.maketrans(_ALPHABET, _STANDARD)))
    seed, check = data[:SEED_BYTES], data[SEED_BYTES:]
    if hashlib.sha256(seed).digest()[:1] != check:
        raise wrong
    return seed


class Sealing:
    """One file: its key, and the number of the chunk that comes next. Both directions use the same chunks."""

    def __init__(self, header: bytes, seed: bytes, salt: bytes) -> None:
        self._cipher = ChaCha20Poly1305(_derived(seed, salt, b"key", 32))
        self._header = hashlib.sha256(header).digest()
        self._number = 0

    def seal(self, chunk: bytes, *, is_last: bool) -> bytes:
        """The next chunk as it goes into the file."""
        assert len(chunk) == CHUNK_BYTES or is_last, "only the last chunk is short"
        return self._cipher.encrypt(self._nonce(is_last), chunk, self._header)

    def unseal(self, data: bytes, *, is_last: bool) -> bytes:
        """The next chunk as it was; Corrupt when it is not what was sealed at this place."""
        try:
            return self._cipher.decrypt(self._nonce(is_last), data, self._header)
        except InvalidTag as error:
            place = self._number
            raise Corrupt(Text(f"第 {place} 块损坏或缺失", f"block {place} is damaged or missing")) from error

    def _nonce(self, is_last: bool) -> bytes:
        self._number += 1
        return self._number.to_bytes(11, "big") + bytes([is_last])


def header_of(site: str, made_at: str, software: str, seed: bytes, salt: bytes) -> bytes:
    """The two lines that a file begins with."""
    header = Header(
        site=site,
        made_at=made_at,
        software=software,
        salt=base64.b64encode(salt).decode(),
        check=_derived(seed, salt, b"check", 8).hex(),
    )
    return MAGIC + msgspec.json.encode(header) + b"\n"


def parse_header(lines: bytes) -> tuple[Header, bytes]:
    """Those lines and the salt; Corrupt where a file is no backup."""
    try:
        if not lines.startswith(MAGIC):
            raise ValueError("another first line")
        header = msgspec.json.decode(lines[len(MAGIC) :], type=Header)
        salt = base64.b64decode(header.salt, validate=True)
    except ValueError as error:
        raise Corrupt(Text("不是备份文件", "this is no backup")) from error
    return header, salt


def opens(header: Header, seed: bytes, salt: bytes) -> bool:
    """Whether this is the code that the file was sealed under."""
    return _derived(seed, salt, b"check", 8).hex() == header.check


def _derived(seed: bytes, salt: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, b"songshan-backup-v1 " + purpose).derive(seed)
