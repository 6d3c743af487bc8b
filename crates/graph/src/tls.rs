//! Which certificates are trusted, and with which cryptography.
//!
//! The provider (ring) is named here and not taken from the process, so the library works in any
//! program, whatever that program installed. Trusted is what the system trusts: companies whose proxies
//! read along put their certificate there. An image without any (`scratch`, `distroless/static`) falls
//! back to Mozilla's list as it was when Sluice was built; [`Roots`] says so, for a line in the log.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;

/// Whose word is taken for who a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roots {
    /// The system's certificates, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    System,
    /// Mozilla's list of the day of the build, because the system has none.
    Bundled,
}

impl fmt::Display for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Roots::System => "the system's certificates",
            Roots::Bundled => {
                "the certificates that came with Sluice, because the system has none; install \
                 ca-certificates or set SSL_CERT_FILE to keep them current"
            }
        })
    }
}

/// The configuration of every connection.
pub(crate) fn config() -> Result<(ClientConfig, Roots), rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let (builder, roots) = match rustls_platform_verifier::Verifier::new(provider) {
        Ok(verifier) => {
            let verifier = Arc::new(verifier);
            let builder = builder
                .dangerous()
                .with_custom_certificate_verifier(verifier);
            (builder, Roots::System)
        }
        Err(_) => (builder.with_root_certificates(bundled()), Roots::Bundled),
    };
    Ok((speaking_http(builder.with_no_client_auth()), roots))
}

fn bundled() -> rustls::RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}

/// Offers HTTP/2, then HTTP/1.1. The HTTP library leaves that to whoever hands it a configuration.
fn speaking_http(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
