//! Decision: whether a certificate and a key can be used, and what is known of the certificate. It takes the text of PEM files
//! and refuses what a browser would refuse, in a sentence that says what to do.

use ring::digest;
use rustls::{
    crypto::{CryptoProvider, ring::default_provider},
    sign::CertifiedKey,
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject, SectionKind},
};
use std::sync::Arc;
use yasna::{
    ASN1Result, BERReader, Tag,
    tags::{TAG_GENERALIZEDTIME, TAG_UTCTIME},
};

/// Certificates of one chain; real ones have three.
const MAX_CHAIN: usize = 16;

/// A certificate that can be served, and what is known of it.
#[derive(Debug, Clone)]
pub struct Pair {
    /// What rustls takes.
    pub certified: Arc<CertifiedKey>,
    /// SHA-256 of the certificate, as browsers show it: pairs of hexadecimal digits with colons.
    pub fingerprint: String,
    /// When it becomes valid, in seconds since 1970.
    pub not_before: i64,
    /// When it expires, in seconds since 1970.
    pub not_after: i64,
    /// The same, for people: RFC 3339.
    pub not_after_text: String,
}

/// Puts the two together. The error says what is wrong with which of them; their names are the caller's to add.
pub fn assemble(certificates: &[u8], key: &[u8]) -> Result<Pair, String> {
    let chain = chain(certificates)?;
    let key = private_key(key)?;
    let signing = provider().key_provider.load_private_key(key).map_err(|err| {
        format!(
            "the key cannot be used ({err}); RSA from 2048 bits on, ECDSA P-256 and P-384, and Ed25519 can"
        )
    })?;
    let certified = CertifiedKey::new(chain.clone(), signing.clone());
    if let Err(err) = certified.keys_match() {
        let belongs = |one: &CertificateDer<'static>| {
            CertifiedKey::new(vec![one.clone()], signing.clone()).keys_match().is_ok()
        };
        return Err(match chain.iter().position(belongs) {
            Some(place) => format!(
                "the key belongs to certificate {} of the file; the server's own has to come first, then those that vouch for it",
                place + 1
            ),
            None => format!("certificate and key do not belong together ({err})"),
        });
    }
    let (not_before, not_after, not_after_text) =
        validity(&chain[0]).map_err(|err| format!("the certificate's validity cannot be read ({err})"))?;
    Ok(Pair {
        fingerprint: fingerprint(&chain[0]),
        certified: Arc::new(certified),
        not_before,
        not_after,
        not_after_text,
    })
}

/// The cryptography that everything here uses.
pub fn provider() -> CryptoProvider {
    default_provider()
}

fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).take(MAX_CHAIN + 1).collect();
    let chain = chain.map_err(|err| format!("the certificate is no proper PEM ({err})"))?;
    match chain.len() {
        0 => Err(format!(
            "there is no certificate in it, but {}; a PEM file with CERTIFICATE is needed",
            kinds(text)
        )),
        count if count > MAX_CHAIN => {
            Err(format!("it has more than {MAX_CHAIN} certificates: that is no chain"))
        }
        _ => Ok(chain),
    }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    // OpenSSL's old form says so in a header, PKCS #8 in the title.
    if has(text, "ENCRYPTED PRIVATE KEY") || has(text, "Proc-Type: 4,ENCRYPTED") {
        return Err("the key is encrypted, and nobody is there to type its password; \
            `openssl pkey -in KEY -out PLAIN` makes a plain one"
            .into());
    }
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(format!(
            "there is no private key in it, but {}; a PEM file with PRIVATE KEY is needed",
            kinds(text)
        )),
        Err(err) => Err(format!("the key is no proper PEM ({err})")),
    }
}

fn has(text: &[u8], words: &str) -> bool {
    text.windows(words.len()).any(|window| window == words.as_bytes())
}

/// What a text holds instead of what was looked for.
fn kinds(text: &[u8]) -> String {
    let mut kinds = Vec::new();
    let mut rest = text;
    while let Ok(Some((kind, _))) = pem::from_buf(&mut rest) {
        let name = match kind {
            SectionKind::Certificate => "a certificate",
            SectionKind::PublicKey => "a public key",
            SectionKind::RsaPrivateKey | SectionKind::PrivateKey | SectionKind::EcPrivateKey => {
                "a private key"
            }
            SectionKind::Csr => "a request for a certificate",
            _ => "something else",
        };
        if !kinds.contains(&name) {
            kinds.push(name);
        }
    }
    if !kinds.is_empty() {
        kinds.join(" and ")
    } else if text.first() == Some(&0x30) {
        "DER, which is binary".into()
    } else {
        "nothing in PEM".into()
    }
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = digest::digest(&digest::SHA256, certificate);
    let pairs: Vec<_> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// From when until when, and the latter in words (RFC 5280, 4.1).
#[doc(hidden)]
pub fn validity(certificate: &CertificateDer<'_>) -> ASN1Result<(i64, i64, String)> {
    yasna::parse_der(certificate, |reader| {
        reader.read_sequence(|certificate| {
            let validity = certificate.next().read_sequence(|to_be_signed| {
                // Version, serial number, algorithm, issuer.
                to_be_signed.read_optional(|reader| {
                    reader.read_tagged(Tag::context(0), |version| version.read_u8())
                })?;
                for _ in 0..3 {
                    to_be_signed.next().read_der()?;
                }
                let validity = to_be_signed.next().read_sequence(|times| {
                    let (not_before, _) = time(times.next())?;
                    let (not_after, text) = time(times.next())?;
                    Ok((not_before, not_after, text))
                })?;
                // Subject, public key, and the extensions, if any.
                while to_be_signed.read_optional(|reader| reader.read_der())?.is_some() {}
                Ok(validity)
            })?;
            for _ in 0..2 {
                certificate.next().read_der()?;
            }
            Ok(validity)
        })
    })
}

fn time(reader: BERReader<'_, '_>) -> ASN1Result<(i64, String)> {
    let time = match reader.lookahead_tag()? {
        TAG_GENERALIZEDTIME => *reader.read_generalized_time()?.datetime(),
        TAG_UTCTIME => *reader.read_utctime()?.datetime(),
        _ => return Err(yasna::ASN1Error::new(yasna::ASN1ErrorKind::Invalid)),
    };
    let (date, (hour, minute, second)) = (time.date(), time.to_hms());
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    Ok((time.unix_timestamp(), format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    /// A certificate and its key in PEM.
    pub(in crate::port) fn self_signed(name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2024, 2, 29);
        params.not_after = rcgen::date_time_ymd(2051, 7, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn pair_tells_fingerprint_and_validity() {
        let (certificate, key) = self_signed("desk.example.com");
        let pair = assemble(certificate.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(pair.not_after_text, "2051-07-01T00:00:00Z");
        // `date -u -d 2024-02-29 +%s`, and of the other: one is UTCTime, one GeneralizedTime.
        assert_eq!((pair.not_before, pair.not_after), (1_709_164_800, 2_571_782_400));
        assert_eq!((pair.fingerprint.len(), pair.fingerprint.matches(':').count()), (95, 31));
        let both = format!("{key}{certificate}");
        assert!(assemble(both.as_bytes(), both.as_bytes()).is_ok(), "one file may hold both");
    }

    #[test]
    fn chain_has_to_begin_with_the_servers_own_certificate() {
        let authority_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, authority_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf =
            CertificateParams::new(["a.example".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let key = key.serialize_pem();
        let right = format!("{}{}", leaf.pem(), authority.pem());
        assert_eq!(assemble(right.as_bytes(), key.as_bytes()).unwrap().certified.cert.len(), 2);
        let wrong = format!("{}{}", authority.pem(), leaf.pem());
        let err = assemble(wrong.as_bytes(), key.as_bytes()).unwrap_err();
        assert!(err.contains("belongs to certificate 2 of the file"), "{err}");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let (certificate, key) = self_signed("a.example");
        let (_, other) = self_signed("a.example");
        let public = KeyPair::from_pem(&key).unwrap().public_key_pem();
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let cut = &certificate[..certificate.len() / 2];
        for (certificate, key, words) in [
            (certificate.as_str(), other.as_str(), "do not belong together"),
            (&key, &key, "no certificate in it, but a private key"),
            (&certificate, &certificate, "no private key in it, but a certificate"),
            (&certificate, &public, "no private key in it, but a public key"),
            (&certificate, &encrypted, "the key is encrypted"),
            (&certificate, old, "the key is encrypted"),
            ("", &key, "nothing in PEM"),
            ("\x30\x01", &key, "DER, which is binary"),
            (cut, &key, "certificate"),
        ] {
            let err = assemble(certificate.as_bytes(), key.as_bytes()).unwrap_err();
            assert!(err.contains(words), "{words:?} is missing in {err:?}");
        }
    }
}
