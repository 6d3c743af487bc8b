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

/// Offers HTTP/2, then HTTP/1.1. The HTTP library does not set this when it gets a configuration.
fn speaking_http(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use sluice_event::DatasetId;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::LazyConfigAcceptor;
    use tokio_rustls::rustls::server::Acceptor;
    use tokio_rustls::server::TlsStream;

    use super::*;
    use crate::{
        AccessToken, Answer, BaseUrl, Client, ClientSettings, ConnectFailure, Destination,
        Endpoint, Exchange, Lost, TokenPlacement, UseCase, Version,
    };

    /// For `localhost`, signed by itself, until 2120. The key is worth nothing anywhere else.
    const CERTIFICATE: &[u8] = include_bytes!("../tests/tls/localhost.cert.der");
    const KEY: &[u8] = include_bytes!("../tests/tls/localhost.key.der");

    const ANSWER: &str = r#"{"events_received":1}"#;

    /// A server that answers one request over TLS; says which protocols the client offered.
    async fn serve(listener: TcpListener, config: Arc<rustls::ServerConfig>) -> Vec<Vec<u8>> {
        let (stream, _) = listener.accept().await.unwrap();
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream);
        let start = start.await.unwrap();
        let offered = start.client_hello().alpn().into_iter().flatten();
        let offered = offered.map(<[u8]>::to_vec).collect();
        // Fails when the client does not trust it.
        if let Ok(stream) = start.into_stream(config).await {
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                answer_2(stream).await;
            } else {
                answer_1(stream).await;
            }
        }
        offered
    }

    async fn answer_1(mut stream: TlsStream<TcpStream>) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n{}") {
            stream.read_buf(&mut request).await.unwrap();
        }
        let length = ANSWER.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{ANSWER}");
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }

    async fn answer_2(stream: TlsStream<TcpStream>) {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        assert_eq!(request.method(), http::Method::POST);
        let answer = http::Response::builder().header("x-app-usage", r#"{"call_count":7}"#);
        let mut body = respond.send_response(answer.body(()).unwrap(), false);
        let body = body.as_mut().unwrap();
        body.send_data(ANSWER.into(), true).unwrap();
        // Nothing is written but by asking for the next request, which never comes.
        tokio::spawn(async move { while connection.accept().await.is_some() {} });
    }

    /// Sends to a server with a certificate of its own; the answer, and what the client offered.
    async fn exchange(is_trusted: bool, protocol: &[u8]) -> (Exchange, Vec<Vec<u8>>) {
        let certificate = CertificateDer::from_slice(CERTIFICATE);
        let key = PrivateKeyDer::try_from(KEY).unwrap();
        let provider = Arc::new(ring::default_provider());
        let mut server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        server.alpn_protocols = vec![protocol.to_vec()];
        let settings = ClientSettings::default();
        let client = if is_trusted {
            let mut roots = bundled();
            roots.add(certificate).unwrap();
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            Client::with_tls(&settings, &speaking_http(config), Roots::Bundled).unwrap()
        } else {
            Client::new(&settings).unwrap()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let to = Destination {
            endpoint: Endpoint {
                base_url: BaseUrl::parse(&format!("https://localhost:{port}")).unwrap(),
                version: Version::NEWEST,
                token: AccessToken::new("EAAB".to_owned()).unwrap(),
                app_secret: None,
                placement: TokenPlacement::Query,
            },
            dataset: DatasetId::parse("12345").unwrap(),
        };
        let serving = tokio::spawn(serve(listener, Arc::new(server)));
        let exchange = client.send(&to, "{}".into()).await;
        (exchange, serving.await.unwrap())
    }

    #[tokio::test]
    async fn speaks_tls_without_a_provider_of_the_process() {
        assert!(rustls::crypto::CryptoProvider::get_default().is_none());
        for (protocol, percent) in [(&b"h2"[..], 7), (b"http/1.1", 0)] {
            let (exchange, offered) = exchange(true, protocol).await;
            assert!(
                matches!(exchange.answer, Answer::Success(_)),
                "{exchange:?}"
            );
            assert_eq!(exchange.usage.of(UseCase::Events).percent, percent);
            assert_eq!(offered, [&b"h2"[..], b"http/1.1"]);
        }
    }

    #[tokio::test]
    async fn trusts_nobody_unknown() {
        let (exchange, _) = exchange(false, b"h2").await;
        let expected = Lost::Connect(ConnectFailure::Certificate);
        assert_eq!(exchange.answer, Answer::Lost(expected));
    }

    #[test]
    fn brings_certificates_for_systems_without() {
        assert!(bundled().len() > 100);
    }
}
