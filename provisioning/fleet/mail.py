"""A message by SMTP, over TLS, to the relay of hub.toml. RFC 5321, RFC 3207 (STARTTLS).

A mail that was sent a second time, because the relay's answer to the first was lost, has the same Message-ID.
"""

import smtplib
import socket
from contextlib import closing
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

from appliance.core.errors import WorldError
from appliance.core.moment import US
from provisioning.fleet.core.letter_text import body, subject
from provisioning.fleet.core.telling import Message
from provisioning.fleet.delivery import Arrived, NotReached, NotTaken, Outcome
from provisioning.fleet.line import connected, trusting
from provisioning.fleet.settings import Mail, secret

PERMANENT: Final = 500
"""Answers from here on mean that it will not be otherwise the next time."""


def send(mail: Mail, message: Message, to: tuple[str, ...], page_url: str = "") -> Outcome:
    """Hand the message to the relay for these recipients. Never raises for what relay, network or disk do."""
    password = b""
    try:
        password = secret(mail.password) if mail.password else b""
        with connected(mail.host, mail.port, mail.timeout_s) as connection, closing(_relay(mail)) as relay:
            _greet(relay, mail, connection)
            if mail.user:
                relay.login(mail.user, password.decode())
            refused = relay.send_message(letter(mail, message, to, page_url), mail.sender, list(to))
            _leave(relay)
    except WorldError as error:
        return NotReached(str(error))
    except smtplib.SMTPRecipientsRefused as error:
        return _of_recipients(error.recipients)
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        reason = _said(error.smtp_code, error.smtp_error)
        return NotTaken(reason, to) if error.smtp_code >= PERMANENT else NotReached(reason)
    except smtplib.SMTPResponseException as error:
        return NotReached(_without(_said(error.smtp_code, error.smtp_error), password))
    except (smtplib.SMTPException, OSError, UnicodeError, ValueError) as error:
        return NotReached(_without(f"{type(error).__name__}: {error}", password))
    return _of_recipients(refused) if refused else Arrived()


def letter(mail: Mail, message: Message, to: tuple[str, ...], page_url: str = "") -> EmailMessage:
    """The mail: plain text, Chinese and then English."""
    made = EmailMessage(policy=SMTP)
    made["From"] = Address("嵩山云 Songshan Cloud", addr_spec=mail.sender)
    made["To"] = ", ".join(to)
    made["Subject"] = subject(message)
    made["Date"] = datetime.fromtimestamp(message.at_us / US, UTC)
    made["Message-ID"] = f"<{message.id}@{mail.sender.partition('@')[2]}>"
    # RFC 3834: no out-of-office answers.
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(body(message, page_url), charset="utf-8", cte="base64")
    return made


def _relay(mail: Mail) -> smtplib.SMTP:
    return smtplib.SMTP(timeout=mail.timeout_s, local_hostname=socket.gethostname() or "localhost")


def _greet(relay: smtplib.SMTP, mail: Mail, connection: socket.socket) -> None:
    """Take a connection that stands, with TLS around it, to the end of the greeting."""
    if mail.security == "tls":
        connection = trusting(mail.ca_file).wrap_socket(connection, server_hostname=mail.host)
    relay.sock, relay.file = connection, None
    code, said = relay.getreply()
    if code != 220:
        raise smtplib.SMTPConnectError(code, said)
    _hello(relay)
    if mail.security == "starttls":
        code, said = relay.docmd("STARTTLS")
        if code != 220:
            raise smtplib.SMTPResponseException(code, said)
        # What somebody slipped in behind the answer, before TLS, goes with the file.
        relay.sock = trusting(mail.ca_file).wrap_socket(connection, server_hostname=mail.host)
        relay.file = None
        _hello(relay)


def _hello(relay: smtplib.SMTP) -> None:
    code, said = relay.ehlo()
    if not 200 <= code <= 299:
        raise smtplib.SMTPHeloError(code, said)


def _leave(relay: smtplib.SMTP) -> None:
    """Say goodbye; it has been taken, whatever comes of this."""
    try:
        relay.quit()
    except (smtplib.SMTPException, OSError):
        return


def _of_recipients(refused: dict[str, tuple[int, bytes]]) -> Outcome:
    code, said = next(iter(refused.values()))
    return NotTaken(f"{', '.join(refused)}: {_said(code, said)}", tuple(refused))


def _said(code: int, said: bytes | str) -> str:
    words = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"{code} {words}"[:300]


def _without(words: str, password: bytes) -> str:
    """A relay may say again what it was told."""
    plain = password.decode(errors="replace")
    return words.replace(plain, "***") if plain else words
