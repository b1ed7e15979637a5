//! The one TCP port: what it speaks, with which certificate, and who keeps a place when hundreds come who say nothing.

use crate::program::{Access, Folder, PATIENCE, Program, Response, eventually};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{ring::default_provider, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};
use vdi_protocol::status::{Status, TlsSource};

fn sleeping(arguments: &[&str]) -> (Program, Access) {
    Program::ready(&[&["--port=0"], arguments, &["--", "sleep", "1000"]].concat(), &[])
}

/// Trusts one certificate only, by its fingerprint, as a person does who compares it.
#[derive(Debug)]
struct Fingerprint(String);

impl ServerCertVerifier for Fingerprint {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let shown: Vec<_> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        let fits = shown.join(":") == self.0;
        fits.then(ServerCertVerified::assertion)
            .ok_or_else(|| Error::General(format!("it is {}", shown.join(":"))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let provider = default_provider();
        verify_tls12_signature(message, certificate, signed, &provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let provider = default_provider();
        verify_tls13_signature(message, certificate, signed, &provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A connection through TLS that speaks one of these protocols inside.
fn through_tls(access: &Access, fingerprint: &str, protocols: &[&[u8]]) -> Tls {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let mut config = config
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Fingerprint(fingerprint.to_owned())))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = access.connect();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).unwrap();
    }
    StreamOwned::new(connection, stream)
}

fn get_tls(access: &Access, fingerprint: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    access.get_through(&mut through_tls(access, fingerprint, &[b"http/1.1"]), path, headers)
}

/// The last line of what it prints at the start.
fn printed_fingerprint(program: &Program) -> String {
    program.line("Certificate (SHA-256): ")
}

#[test]
fn page_and_websocket_are_there_with_and_without_tls_and_nothing_was_configured() {
    let (program, access) = sleeping(&[]);
    let fingerprint = printed_fingerprint(&program);
    assert_eq!(access.get_authorized("/").status, 200);
    let authorization = access.authorization();
    let page = get_tls(&access, &fingerprint, "/", &[("Authorization", &authorization)]);
    assert_eq!(page.status, 200);
    assert!(page.headers["content-type"].starts_with("text/html"));
    assert!(
        !page.headers.contains_key("strict-transport-security"),
        "a self-signed one could lock people out"
    );
    assert_eq!(get_tls(&access, &fingerprint, "/status", &[]).status, 401);

    let origin = format!("https://{}", access.address);
    let upgrade = |origin: &str| {
        let headers = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Origin", origin),
            ("Authorization", &authorization),
        ];
        get_tls(&access, &fingerprint, "/ws", &headers).status
    };
    assert_eq!(upgrade(&origin), 101);
    assert_eq!(upgrade("https://evil.example"), 403);

    let status: Status = serde_json::from_str(&access.get_authorized("/status").body).unwrap();
    let tls = status.tls.unwrap();
    assert_eq!((tls.source, tls.fingerprint.as_str()), (TlsSource::SelfSigned, fingerprint.as_str()));
    let metrics = access.get_authorized("/metrics").body;
    assert!(metrics.contains("\nvdi_tls_certificate_not_after_seconds "), "{metrics}");
}

#[test]
fn both_versions_of_http_are_offered_and_browsers_may_choose() {
    let (program, access) = sleeping(&[]);
    let fingerprint = printed_fingerprint(&program);
    let chosen = |protocols: &[&[u8]]| {
        let stream = through_tls(&access, &fingerprint, protocols);
        stream.conn.alpn_protocol().map(<[u8]>::to_vec)
    };
    assert_eq!(chosen(&[b"h2", b"http/1.1"]).unwrap(), b"h2");
    assert_eq!(chosen(&[b"http/1.1"]).unwrap(), b"http/1.1");
    assert_eq!(chosen(&[]), None);
}

#[test]
fn with_tls_only_pages_are_sent_to_it_and_probes_are_answered_as_ever() {
    let (_program, access) = sleeping(&["--enable-https=true"]);
    for path in ["/", "/status?a=b", "/ws"] {
        let response = access.get_authorized(path);
        assert_eq!(response.status, 308, "{path}");
        assert_eq!(response.headers["location"], format!("https://{}{path}", access.address));
    }
    for path in ["/healthz", "/readyz", "/health"] {
        assert_eq!(access.get(path, &[]).status, 200, "{path}");
    }
}

#[test]
fn given_certificate_is_shown_and_its_replacement_is_taken_while_it_runs() {
    let folder = Folder::new("certificate");
    let (certificate, key) = (folder.file("tls.crt"), folder.file("tls.key"));
    let make = || {
        let made = rcgen::generate_simple_self_signed(["desk.example.com".to_owned()]).unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    };
    make();
    let (cert_option, key_option) = (format!("--https-cert={certificate}"), format!("--https-key={key}"));
    let (_program, access) = sleeping(&["--enable-https=true", &cert_option, &key_option]);
    let shown = || shown_fingerprint(&access);
    let first = shown();
    let page = get_tls(&access, &first, "/", &[("Authorization", &access.authorization())]);
    assert_eq!((page.status, page.headers["strict-transport-security"].as_str()), (200, "max-age=31536000"));
    make();
    let second = eventually("the new certificate", || Some(shown()).filter(|now| *now != first));
    let status = get_tls(&access, &second, "/status", &[("Authorization", &access.authorization())]);
    let tls = serde_json::from_str::<Status>(&status.body).unwrap().tls.unwrap();
    assert_eq!((tls.source, tls.fingerprint, tls.message), (TlsSource::Given, second, None));
}

/// What anybody sees who connects.
fn shown_fingerprint(access: &Access) -> String {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Fingerprint(String::new())))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = access.connect();
    let refused = loop {
        if let Err(err) = connection.complete_io(&mut stream) {
            break err.to_string();
        }
    };
    refused.rsplit_once("it is ").unwrap_or_else(|| panic!("{refused}")).1.trim().to_owned()
}

#[test]
fn unusable_certificate_ends_the_start_with_its_name_and_the_cause() {
    let folder = Folder::new("no-certificate");
    let file = folder.file("tls.pem");
    for (option, words) in [
        (format!("--https-cert={file}"), "there is no certificate in it, but nothing in PEM"),
        ("--https-cert=/nonexistent/tls.crt".into(), "cannot read /nonexistent/tls.crt: No such file"),
    ] {
        let mut program = Program::start(&["--port=0", &option, "--", "sleep", "1000"], &[]);
        assert_eq!(program.wait().code(), Some(2), "{}", program.log());
        assert!(
            program.log().contains(words) && program.log().contains("CONFIG_INVALID"),
            "{}",
            program.log()
        );
    }
}

#[test]
fn hundreds_of_connections_that_say_nothing_or_nonsense_do_no_harm() {
    let (program, access) = sleeping(&[]);
    let fingerprint = printed_fingerprint(&program);
    let authorization = access.authorization();
    let headers = [("Authorization", authorization.as_str()), ("Connection", "keep-alive")];
    let mut page = access.connect();
    assert_eq!(access.get_through(&mut page, "/status", &headers).status, 200);

    let half: [&[u8]; 6] = [
        b"",
        &[0x16],
        &[0x16, 3, 1, 0x7f, 0xff, 1],
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        &[0xde, 0xad, 0xbe, 0xef],
    ];
    let mut crowd = Vec::new();
    for number in 0..420 {
        let mut stream = access.connect();
        // It may have been dropped already.
        let _ = stream.write_all(half[number % half.len()]);
        crowd.push(stream);
        // The first leave nobody the time to be let go for his silence instead.
        if number >= 240 && number % 30 == 0 {
            assert_eq!(
                access.get_through(&mut page, "/status", &headers).status,
                200,
                "the page keeps its place"
            );
            assert_eq!(access.get_authorized("/status").status, 200, "and newcomers find one");
            let secret = get_tls(&access, &fingerprint, "/status", &[("Authorization", &authorization)]);
            assert_eq!(secret.status, 200);
        }
    }
    let closed = |reason: &str| {
        let metrics = access.get_authorized("/metrics").body;
        let start = format!("vdi_connections_closed_total{{reason=\"{reason}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
        line.parse::<u64>().unwrap()
    };
    assert!(closed("displaced") > 100, "{}", closed("displaced"));
    assert!(closed("garbage") > 10, "{}", closed("garbage"));
    // All of them are let go in the end, whatever they keep open on their side.
    for mut stream in crowd {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        // A reset says the same as an end.
        match stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(err) => assert_eq!(err.kind(), std::io::ErrorKind::ConnectionReset, "{err}"),
        }
    }
}
