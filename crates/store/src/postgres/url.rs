//! Where a PostgreSQL server is, and whether TLS is needed on the way.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// How long a server may take to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long what was sent may stay unacknowledged.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// What is needed to connect.
pub(super) struct Way {
    pub(super) config: Config,
    pub(super) tls: Tls,
}

/// What protects the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tls {
    /// Nothing: it does not leave this machine.
    None,
    /// TLS, and the server proves its name with a certificate that the system trusts.
    System,
    /// TLS, and the server proves its name with a certificate that one in this file vouches for.
    File(PathBuf),
}

/// Reads the URL. An error's text holds nothing of it: it may hold a password.
pub(super) fn read(url: &str) -> Result<Way, String> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err("the URL does not begin with postgres://".to_owned());
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut mode = None;
    let mut roots = None;
    let mut rest = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match form_urlencoded::parse(part.as_bytes()).next() {
            Some((key, value)) if key == "sslmode" => mode = Some(value.into_owned()),
            Some((key, value)) if key == "sslrootcert" => roots = Some(PathBuf::from(&*value)),
            _ => rest.push(part),
        }
    }
    let mut config = Config::from_str(&format!("{base}?{}", rest.join("&")))
        .map_err(|_error| "the URL is none that PostgreSQL understands".to_owned())?;
    let is_wanted = match mode.as_deref() {
        Some("require" | "verify-ca" | "verify-full") => true,
        None if roots.is_some() => true,
        None | Some("disable" | "allow" | "prefer") => false,
        Some(_) => return Err("sslmode is one of disable, require and verify-full".to_owned()),
    };
    if !is_wanted && !is_here(&config) && mode.is_some() {
        return Err(
            "the server is on another machine, so sslmode is require or verify-full".to_owned(),
        );
    }
    let tls = match roots {
        _ if !is_wanted && is_here(&config) => Tls::None,
        Some(file) if file.as_os_str() != "system" => Tls::File(file),
        _ => Tls::System,
    };
    config.ssl_mode(match tls {
        Tls::None => SslMode::Disable,
        Tls::System | Tls::File(_) => SslMode::Require,
    });
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_MAX);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_MAX);
    }
    config.application_name("sluice");
    Ok(Way { config, tls })
}

/// Every server of the URL is on this machine.
fn is_here(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        Host::Unix(_) => true,
    }) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_is_spoken_to_by_tls_only() {
        let file = Tls::File("/etc/ca.pem".into());
        let told = [
            ("postgres://u:p@127.0.0.1/db", Some(Tls::None)),
            (
                "postgresql://u:p@localhost/db?sslmode=prefer",
                Some(Tls::None),
            ),
            ("postgres://u@/db?host=/run/postgresql", Some(Tls::None)),
            (
                "postgres://u:p@localhost/db?sslmode=require",
                Some(Tls::System),
            ),
            ("postgres://u:p@db.example/db", Some(Tls::System)),
            (
                "postgres://u:p@db.example/db?sslmode=verify-full",
                Some(Tls::System),
            ),
            (
                "postgres://u:p@db.example/db?sslrootcert=%2Fetc%2Fca.pem",
                Some(file.clone()),
            ),
            (
                "postgres://u:p@localhost/db?sslrootcert=/etc/ca.pem",
                Some(file),
            ),
            (
                "postgres://u:p@localhost/db?hostaddr=192.0.2.1",
                Some(Tls::System),
            ),
            (
                "postgres://u:p@localhost,db.example/db?sslmode=disable",
                None,
            ),
            ("postgres://u:p@db.example/db?sslmode=disable", None),
            ("postgres://u:p@db.example/db?sslmode=prefer", None),
            ("postgres://u:p@db.example/db?sslmode=verify", None),
        ];
        for (url, expected) in told {
            let way = read(url);
            assert_eq!(
                way.as_ref().ok().map(|way| way.tls.clone()),
                expected,
                "{url}"
            );
        }
    }

    #[test]
    fn an_error_holds_no_password() {
        for url in [
            "https://u:5ecret@db",
            "postgres://u:5ecret@db:port/x",
            "postgres://u:5ecret@db/?5ecret=1",
        ] {
            let error = read(url).err().unwrap();
            assert!(!error.contains("5ecret"), "{error}");
        }
    }
}
