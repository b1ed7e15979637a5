//! Shell: how people get in: the password, generated if none is given, and the block on stdout that tells it once.

use crate::{
    config::{Credentials, Secret},
    error::Error,
    http::{auth, invitations::TOKEN_BYTES},
    port::tls::Certificate,
};
use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// The password, and whether it was generated.
pub fn password(credentials: Option<&Credentials>) -> Result<(Option<Secret>, bool), Error> {
    match credentials {
        None => {
            tracing::warn!(
                "nobody is asked for a password: everyone who reaches the port controls the desktop"
            );
            Ok((None, false))
        }
        Some(Credentials { password: Some(password), .. }) => Ok((Some(password.clone()), false)),
        Some(_) => Ok((Some(generate()?), true)),
    }
}

/// The token of standard players, and whether it was generated.
pub fn viewer_token(given: Option<&Secret>) -> Result<(Secret, bool), Error> {
    match given {
        Some(token) => Ok((token.clone(), false)),
        None => Ok((generate()?, true)),
    }
}

fn generate() -> Result<Secret, Error> {
    let mut random = [0; auth::PASSWORD_CHARS];
    getrandom::fill(&mut random).map_err(|err| no_random(&err))?;
    Ok(Secret(auth::password(random)))
}

/// Random bytes for an invitation.
pub fn invitation() -> Result<[u8; TOKEN_BYTES], Error> {
    let mut random = [0; TOKEN_BYTES];
    getrandom::fill(&mut random).map_err(|err| no_random(&err))?;
    Ok(random)
}

/// A name that tells this session from every other.
pub fn session_name() -> Result<String, Error> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|err| no_random(&err))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn no_random(err: &getrandom::Error) -> Error {
    Error::pipeline(format!("the system gives no random bytes: {err}"))
}

/// The only block on stdout. A password that the user has set is not repeated, and a certificate neither.
pub fn print(
    address: SocketAddr,
    certificate: &Certificate,
    credentials: Option<&Credentials>,
    generated: Option<&Secret>,
    viewer_token: Option<&Secret>,
) {
    let host = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    let scheme = if certificate.only() { "https" } else { "http" };
    let mut block = format!("URL: {scheme}://{}/\n", SocketAddr::new(host, address.port()));
    if let Some(credentials) = credentials {
        let password = generated.map_or("(as given)", |password| password.0.as_str());
        block += &format!("User: {}\nPassword: {password}\n", credentials.user);
    }
    if certificate.is_self_signed() {
        // Browsers show it beside their warning; only who compares the two knows whom the password goes to.
        block += &format!("Certificate (SHA-256): {}\n", certificate.status().fingerprint);
    }
    if let Some(token) = viewer_token {
        block += &format!("Viewer token (WHEP): {}\n", token.0);
    }
    let mut stdout = std::io::stdout().lock();
    // Without a reader on stdout the log still tells the address.
    let _ = stdout.write_all(block.as_bytes()).and_then(|()| stdout.flush());
}
