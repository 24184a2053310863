//! The HTTP client's errors to failure classes.

use std::error::Error as StdError;
use std::io;

use url::Url;

use super::resolve::AddressRefused;
use super::target;
use crate::sample::{Failure, FailureClass};

/// What a failed request or transfer means for its sample. The texts are our own, because those of the client name
/// resolved addresses and whole URLs.
pub(super) fn classify(error: &reqwest::Error, url: &Url) -> Failure {
    let host = target::name(url);
    if causes(error).any(|cause| cause.is::<AddressRefused>()) {
        return target::address_refused(url);
    }
    if error.is_dns() {
        return Failure::new(FailureClass::Dns, format!("the name {host} does not resolve"));
    }
    if let Some(tls) = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        if is_damage(tls, error.is_connect()) {
            return Failure::new(FailureClass::Reset, broken(&host));
        }
        return Failure::new(FailureClass::Tls, format!("no secure connection to {host}: {}", tls_reason(tls)));
    }
    if error.is_connect() {
        return not_connected(error, &host);
    }
    if error.is_builder() {
        return Failure::new(FailureClass::BadUrl, format!("the HTTP client does not accept this URL of {host}"));
    }
    Failure::new(FailureClass::Reset, broken(&host))
}

/// Behind a proxy it may be the proxy that cannot be reached: the message must lead there.
pub(super) fn through_proxy(mut failure: Failure) -> Failure {
    if matches!(failure.class, FailureClass::Dns | FailureClass::Connect | FailureClass::Reset | FailureClass::Timeout)
    {
        failure.message.push_str(", through the proxy that the environment names");
    }
    failure
}

/// The text of a transfer that ended too early.
pub(super) fn broken(host: &str) -> String {
    format!("the connection to {host} broke, or {host} broke the protocol")
}

/// Whether this process or this machine has no descriptor left: says nothing about the host.
pub(super) fn is_out_of_files(error: &(dyn StdError + 'static)) -> bool {
    let errors = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    errors.filter_map(io::Error::raw_os_error).any(|code| code == libc::EMFILE || code == libc::ENFILE)
}

/// Whether the host itself turned the connection down.
pub(super) fn is_connection_refused(error: &reqwest::Error) -> bool {
    error.is_connect() && io_kinds(error).any(|kind| kind == io::ErrorKind::ConnectionRefused)
}

fn not_connected(error: &reqwest::Error, host: &str) -> Failure {
    use io::ErrorKind::*;
    if error.is_timeout() {
        let message = format!("connecting to {host} took longer than reading.connect_timeout");
        return Failure::new(FailureClass::Timeout, message);
    }
    let reason = io_kinds(error).find_map(|kind| match kind {
        ConnectionRefused => Some("connection refused"),
        HostUnreachable | NetworkUnreachable | NetworkDown => Some("unreachable"),
        AddrNotAvailable => Some("no usable address"),
        _ => None,
    });
    match reason {
        Some(reason) => Failure::new(FailureClass::Connect, format!("cannot connect to {host}: {reason}")),
        // Accepted, then dropped: in the TLS handshake, or by a proxy.
        None if io_kinds(error).any(|kind| matches!(kind, UnexpectedEof | ConnectionReset | BrokenPipe)) => {
            Failure::new(FailureClass::Reset, broken(host))
        }
        None => Failure::new(FailureClass::Connect, format!("cannot connect to {host}")),
    }
}

/// Whether bytes changed on the way: another connection may do better. The client learns of it while it waits for the
/// response, or in the body, as it happens.
fn is_damage(error: &rustls::Error, is_handshake: bool) -> bool {
    match error {
        rustls::Error::DecryptError => true,
        // At a connection's start, the host speaks something else.
        rustls::Error::InvalidMessage(_) => !is_handshake,
        _ => false,
    }
}

/// The certificate's fault in words; details that hold times or whole certificates are left out.
fn tls_reason(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError::*;
    match error {
        rustls::Error::InvalidCertificate(fault) => match fault {
            Expired | ExpiredContext { .. } => "its certificate has expired",
            NotValidYet | NotValidYetContext { .. } => "its certificate is not valid yet",
            UnknownIssuer => "its certificate comes from an unknown issuer",
            NotValidForName | NotValidForNameContext { .. } => "its certificate is for another name",
            Revoked => "its certificate is revoked",
            _ => "its certificate is not valid",
        },
        rustls::Error::InvalidMessage(_) => "it does not speak TLS",
        rustls::Error::AlertReceived(_) => "it ended the handshake with an alert",
        rustls::Error::PeerIncompatible(_) => "it offers no TLS version or cipher that we support",
        _ => "the TLS handshake failed",
    }
}

fn io_kinds(error: &reqwest::Error) -> impl Iterator<Item = io::ErrorKind> + '_ {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind)
}

/// The error and all its causes. An I/O error that wraps another hides it from `source()`, so it is unwrapped here.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |cause| cause_of(*cause))
}

fn cause_of<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
