"""Certificates as an operator makes them: with openssl, when a test needs them."""
import shutil
import subprocess

import harness


class Authority:
    """A certificate authority, and what it signs."""

    def __init__(self, name="authority"):
        self.home = harness.WORK.fresh("certificates")
        self.key = self.home / "ca.key"
        self.file = self._sign("ca", f"/CN={name}", ["-addext", "basicConstraints=critical,CA:TRUE"], None)
        self.bundle = str(self.file)

    def issue(self, name, subject=None, names="DNS:localhost,IP:127.0.0.1"):
        """(certificate, key), as files that PostgreSQL's own user owns and only it and root may read."""
        extensions = ["-addext", f"subjectAltName={names}"] if names else []
        certificate = self._sign(name, subject or f"/CN={name}", extensions, self)
        return str(certificate), str(self.home / f"{name}.key")

    def revoked(self, *certificates):
        """A list of certificates that are no longer to be believed."""
        home = harness.WORK.fresh("revoked")
        (home / "index.txt").touch()
        (home / "ca.cnf").write_text(f"[ca]\ndefault_ca = own\n[own]\ndatabase = {home}/index.txt\ndefault_md = sha256\n"
                                     "default_crl_days = 3\n")
        ca = ["openssl", "ca", "-config", home / "ca.cnf", "-keyfile", self.key, "-cert", self.file]
        for certificate in certificates:
            subprocess.run([*ca, "-revoke", certificate], check=True, capture_output=True)
        subprocess.run([*ca, "-gencrl", "-out", home / "crl.pem"], check=True, capture_output=True)
        return str(home / "crl.pem")

    def _sign(self, name, subject, extensions, by):
        certificate, key = self.home / f"{name}.crt", self.home / f"{name}.key"
        signer = ["-CA", by.file, "-CAkey", by.key] if by else []
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "3", "-subj", subject, "-keyout", key, "-out", certificate, *signer, *extensions],
                       check=True, capture_output=True)
        key.chmod(0o600)
        if harness.IS_ROOT:
            shutil.chown(key, harness.SERVER_USER)
        return certificate
