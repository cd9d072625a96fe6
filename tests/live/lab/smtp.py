"""A mail server that takes mails of who signs in, over TLS, and keeps them as files."""

from .authority import certificate
from .ground import HERE, listens

PACKAGES = ["python3-aiosmtpd"]
NEEDS = ["network"]
USER = "gatehouse"


def start(lab):
    place, port, tls = lab.place("smtp"), lab.port("smtp", 587), certificate(lab, "smtp")
    password, process = lab.secret("smtp"), lab.process("smtp")
    if not process.alive():
        process.start("/usr/bin/python3", HERE / "files" / "smtp" / "server", lab.address, port, place / "mails",
                      tls.cert, tls.key, USER, env={"SMTP_PASSWORD": password})
    lab.until("the mail server answers", lambda: listens(lab.address, port), process)
    return {"address": lab.address, "port": port, "username": USER, "password": password, "ca": str(tls.ca),
            "mails": str(place / "mails" / "new")}


def stop(lab):
    lab.process("smtp").stop()
