//! Connections to PostgreSQL, with TLS where that is asked for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::cli::DatabaseOptions;

const PATIENCE: Duration = Duration::from_secs(5);
/// A statement of a look-up is given up by the database itself after this long, in milliseconds: one
/// that nobody waits for any more would go on there.
const STATEMENT_TIMEOUT: &str = "-c statement_timeout=5000";

/// How to reach the database.
#[derive(Clone)]
pub struct Connect {
    config: Config,
    pub tls: MakeRustlsConnect,
}

type TlsStream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

impl Connect {
    pub fn new(options: &DatabaseOptions) -> Result<Self> {
        let url = options.url()?;
        // The error would quote the URL, and with it the password.
        let mut config: Config = url.parse().map_err(|_| anyhow!("the database URL is malformed"))?;
        // A connection that breaks without a word is found out.
        config
            .application_name("sync-worker")
            .connect_timeout(PATIENCE)
            .keepalives_idle(Duration::from_secs(10))
            .tcp_user_timeout(Duration::from_secs(10));
        match (&options.database_ca, config.get_ssl_mode()) {
            (Some(_), _) | (None, SslMode::Require) => config.ssl_mode(SslMode::Require),
            // Without an authority nothing would be gained: whoever is in between has a certificate too.
            (None, _) => config.ssl_mode(SslMode::Disable),
        };
        let roots = match (&options.database_ca, config.get_ssl_mode()) {
            (Some(path), _) => authorities(path)?,
            (None, SslMode::Require) => machine_authorities()?,
            (None, _) => RootCertStore::empty(),
        };
        Ok(Self { config, tls: MakeRustlsConnect::new(trusting(roots)?) })
    }

    pub async fn open(&self) -> Result<(Client, Connection<Socket, TlsStream>)> {
        self.config.connect(self.tls.clone()).await.map_err(without_values)
    }

    /// The settings of connections whose statements end in time, with more options.
    pub fn limited(&self, options: &str) -> Config {
        let mut config = self.config.clone();
        let own = config.get_options().unwrap_or_default();
        let options = [STATEMENT_TIMEOUT, options, own];
        let options: Vec<&str> = options.into_iter().filter(|options| !options.is_empty()).collect();
        config.options(options.join(" "));
        config
    }
}

/// TLS to whoever has a certificate by this authority; without one, by the machine's.
pub fn tls(authority: Option<&Path>) -> Result<ClientConfig> {
    trusting(match authority {
        Some(path) => authorities(path)?,
        // On a machine that knows none, nobody is trusted, which matters to those alone who use TLS.
        None => machine_authorities().unwrap_or_else(|_| RootCertStore::empty()),
    })
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// A database's error without its details, which can quote rows.
pub fn without_values(error: tokio_postgres::Error) -> anyhow::Error {
    match error.as_db_error() {
        Some(error) => anyhow!("{} ({})", error.message(), error.code().code()),
        None => error.into(),
    }
}

fn authorities(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let unreadable = || format!("`{}` has no certificates that can be read", path.display());
    for certificate in CertificateDer::pem_file_iter(path).with_context(unreadable)? {
        roots.add(certificate.with_context(unreadable)?).with_context(unreadable)?;
    }
    ensure!(!roots.is_empty(), unreadable());
    Ok(roots)
}

fn machine_authorities() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ensure!(!roots.is_empty(), "this machine knows no certificate authorities: name one by `--database-ca`");
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> DatabaseOptions {
        DatabaseOptions { database_url: url.to_owned(), database_url_file: None, database_ca: None }
    }

    #[test]
    fn a_malformed_url_is_not_quoted() {
        let error = Connect::new(&options("postgres://user:secret@[host/db")).err().unwrap();
        assert_eq!(error.to_string(), "the database URL is malformed");
    }

    #[test]
    fn an_authority_makes_tls_a_must() {
        let path = std::env::temp_dir().join(format!("sync-worker-no-ca-{}", std::process::id()));
        std::fs::write(&path, "no certificate").unwrap();
        let with = DatabaseOptions { database_ca: Some(path.clone()), ..options("postgres://localhost/db") };
        let error = Connect::new(&with).err().unwrap().to_string();
        std::fs::remove_file(&path).unwrap();
        assert!(error.contains("has no certificates that can be read"), "{error}");
        let without = Connect::new(&options("postgres://localhost/db")).unwrap();
        assert_eq!(without.config.get_ssl_mode(), SslMode::Disable);
    }

    #[test]
    fn statements_end_in_time_whatever_the_url_sets() {
        let url = "postgres://localhost/db?options=-c%20work_mem%3D1MB";
        let limited = Connect::new(&options(url)).unwrap().limited("-c lock_timeout=1");
        let expected = "-c statement_timeout=5000 -c lock_timeout=1 -c work_mem=1MB";
        assert_eq!(limited.get_options(), Some(expected));
    }
}
