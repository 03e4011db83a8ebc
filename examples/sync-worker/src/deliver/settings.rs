//! Where each delivery goes, by which key, and how fast; and which of them are parked.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use hyper::header::HeaderValue;

use crate::cli::DeliverOptions;
use crate::deliver::tables::{Own, Parked, Tables};
use crate::properties::secret;

/// The delivery of all destinations that have none of their own.
pub const COMMON: &str = "";

/// How a delivery is made.
#[derive(Clone)]
pub struct Delivery {
    pub endpoint: Uri,
    /// The write key, as it is sent.
    pub authorization: Option<HeaderValue>,
    pub calls_per_second: Option<u32>,
}

/// A delivery, or why none can be made.
pub type Found = Arc<Result<Delivery, String>>;

/// What is known, from the database and the command line.
pub struct Settings {
    tables: Tables,
    common: Delivery,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    own: HashMap<String, Found>,
    parked: HashSet<String>,
    /// Grows with each delivery that is parked here: what was read before says nothing about it.
    parkings: u64,
}

impl Settings {
    pub fn new(options: &DeliverOptions, tables: Tables) -> Result<Self> {
        let endpoint = options.endpoint.as_deref().context("`--endpoint` is missing")?;
        let key = options.write_key_file.as_deref().map(secret).transpose()?;
        let common = Delivery {
            endpoint: endpoint_of(endpoint)?,
            authorization: key.as_deref().map(basic).transpose()?,
            calls_per_second: options.calls_per_second,
        };
        Ok(Self { tables, common, known: Mutex::default() })
    }

    /// Reads all of it again. Returns what is parked.
    pub async fn refresh(&self) -> Result<Vec<Parked>> {
        let before = self.known().parkings;
        let own = self.tables.deliveries().await?;
        let own = own.into_iter().map(|(id, own)| {
            let found = self.delivery(&own).map_err(|error| format!("{error:#}"));
            (id, Arc::new(found))
        });
        let own = own.collect();
        let parked = self.tables.parked().await?;
        let mut known = self.known();
        known.own = own;
        if known.parkings == before {
            known.parked = parked.iter().map(|parked| parked.delivery.clone()).collect();
        }
        Ok(parked)
    }

    pub fn of(&self, delivery: &str) -> Found {
        let own = self.known().own.get(delivery).cloned();
        own.unwrap_or_else(|| Arc::new(Ok(self.common.clone())))
    }

    /// The delivery that takes a call of this name: the common one, where no other is known.
    pub fn delivery_of<'d>(&self, name: &'d str) -> &'d str {
        let known = self.known();
        match known.own.contains_key(name) || known.parked.contains(name) {
            true => name,
            false => COMMON,
        }
    }

    /// Whether calls wait in the database that the delivery's next ones must not overtake.
    pub fn is_parked(&self, delivery: &str) -> bool {
        self.known().parked.contains(delivery)
    }

    /// To be called before the first of its calls is parked.
    pub fn park(&self, delivery: &str) {
        let mut known = self.known();
        known.parkings += 1;
        known.parked.insert(delivery.to_owned());
    }

    fn delivery(&self, own: &Own) -> Result<Delivery> {
        let endpoint = own.endpoint.as_deref().map(endpoint_of).transpose()?;
        let key = match (&own.write_key_file, &own.write_key_env) {
            (Some(path), _) => Some(secret(Path::new(path))?),
            (None, Some(name)) => {
                Some(std::env::var(name).map_err(|_| anyhow!("the variable `{name}` is not set"))?)
            }
            // The common key is the common endpoint's, and nobody else's to see.
            (None, None) => None,
        };
        let authorization = match key {
            Some(key) => Some(basic(&key)?),
            None if endpoint.is_none() => self.common.authorization.clone(),
            None => None,
        };
        Ok(Delivery {
            endpoint: endpoint.unwrap_or_else(|| self.common.endpoint.clone()),
            authorization,
            calls_per_second: own.calls_per_second.or(self.common.calls_per_second),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn endpoint_of(text: &str) -> Result<Uri> {
    // Not quoted: it may hold a password.
    let uri: Uri = text.parse().map_err(|_| anyhow!("the endpoint is no URL"))?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    ensure!(is_web && uri.host().is_some(), "the endpoint is no URL of `http` or `https`");
    let has_password = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    ensure!(!has_password, "the endpoint's URL holds a password: put it into a file");
    Ok(uri)
}

/// Basic authentication, with the key for a name and no password.
fn basic(key: &str) -> Result<HeaderValue> {
    let text = format!("Basic {}", STANDARD.encode(format!("{key}:")));
    let mut value = HeaderValue::from_str(&text)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_that_holds_no_secret() {
        assert!(endpoint_of("https://api.example.com/v1/batch").is_ok());
        for text in ["", "/v1/batch", "ftp://example.com", "api.example.com", "https://"] {
            assert!(endpoint_of(text).is_err(), "{text}");
        }
        let error = endpoint_of("https://hunter2:@example.com/").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_write_key_is_a_name_without_a_password() {
        let value = basic("key").unwrap();
        assert_eq!(value, "Basic a2V5Og==");
        assert!(!format!("{value:?}").contains("a2V5"), "it is not shown");
    }
}
