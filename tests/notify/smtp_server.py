"""An SMTP server (aiosmtpd, which implements RFC 5321 with STARTTLS and AUTH) that prints what it takes.

usage: smtp_server.py plain|starttls|implicit [CERTIFICATE KEY]

The first line on standard output is the port. Each mail that is taken is one line of JSON: the envelope, how the connection was
protected, and the mail as Python's own parser reads it. Receivers that begin with `unknown` are refused for good, those
with `busy` for now. The user is `fleetwatch`, the password `correct horse`; a server without TLS asks for none.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import AuthResult


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("unknown"):
            return "550 5.1.1 no such user"
        if address.startswith("busy"):
            return "450 4.2.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        told = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "authenticated": bool(session.authenticated),
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "names": [name.lower() for name in mail.keys()],
            "defects": [str(defect) for defect in mail.defects],
            "body": mail.get_content(),
        }
        print(json.dumps(told), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"fleetwatch" and data.password == b"correct horse"
    return AuthResult(success=good, handled=good)


def main():
    mode, files = sys.argv[1], sys.argv[2:]
    options = {}
    if mode != "plain":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        options = {"authenticator": authenticate, "auth_required": True}
        if mode == "starttls":
            options.update(tls_context=context, require_starttls=True)
        else:
            # The protocol does not know that the connection below it is protected already.
            options.update(ssl_context=context, auth_require_tls=False)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    controller = UnthreadedController(Handler(), hostname="127.0.0.1", port=0, loop=loop, **options)
    controller.begin()
    print(controller.server.sockets[0].getsockname()[1], flush=True)
    loop.run_forever()


main()
