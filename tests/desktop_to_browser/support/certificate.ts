// Shell: certificates for tests, made with openssl, and the flag by which Chromium trusts exactly one of them.

import { createHash, X509Certificate } from "node:crypto";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** Chromium with this flag trusts whoever has this key, as it would trust a certificate of a known authority. */
  readonly trustFlag: string;
}

/** A self-signed certificate for an IP address or a host name, in two PEM files in `folder`. */
export function certificateFor(host: string, folder: string, name = "server"): Certificate {
  const [certFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const subject = /^[\d.]+$|:/.test(host) ? `IP:${host}` : `DNS:${host}`;
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", `/CN=${host}`]
      .concat(["-addext", `subjectAltName=${subject}`, "-keyout", keyFile, "-out", certFile]),
    { stdio: "pipe", timeout: 20_000 },
  );
  const key = new X509Certificate(readFileSync(certFile)).publicKey.export({ type: "spki", format: "der" });
  const pin = createHash("sha256").update(key).digest("base64");
  return { certFile, keyFile, trustFlag: `--ignore-certificate-errors-spki-list=${pin}` };
}
