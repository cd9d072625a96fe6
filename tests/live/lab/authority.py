"""The lab's own certificate authority: every system that speaks TLS has a certificate of it, so that
verifying is real."""

import secrets
from types import SimpleNamespace

from .ground import DOMAIN, run

DAYS = 30


def authority(lab):
    """The certificate that everybody in the lab trusts; made once."""
    place = lab.place("authority")
    certificate, key = place / "ca.pem", place / "ca.key"
    with lab.memory:
        if certificate.exists():
            return certificate
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", DAYS,
            "-subj", "/CN=Gatehouse lab", "-keyout", key, "-out", certificate,
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    return certificate


def certificate(lab, name, address=None):
    """A certificate for the system or person `name`, at `address` and `name.lab.test`."""
    ca = authority(lab)
    place = ca.parent
    made = SimpleNamespace(ca=ca, cert=place / f"{name}.pem", key=place / f"{name}.key")
    if not made.cert.exists():
        serial = f"0x{secrets.token_hex(16)}"
        request = place / f"{name}.csr"
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}.{DOMAIN}", "-keyout", made.key, "-out", request)
        usage = lab.write(place / f"{name}.usage", text="\n".join([
            "basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
            "extendedKeyUsage=serverAuth,clientAuth", "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid",
            f"subjectAltName=DNS:{name}.{DOMAIN},IP:{address or lab.address}"]))
        run("openssl", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", place / "ca.key", "-set_serial", serial,
            "-days", DAYS, "-extfile", usage, "-out", made.cert)
        request.unlink()
        usage.unlink()
    return made
