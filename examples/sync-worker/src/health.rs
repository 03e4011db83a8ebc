//! Whether the process lives, and whether it is ready: what it waits for, by name.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// A loop that has not come round for this long hangs.
const SILENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Health(Mutex<State>);

#[derive(Default)]
struct State {
    /// What is missing, and why where that is known.
    waiting_for: BTreeMap<String, String>,
    beats: BTreeMap<&'static str, Instant>,
}

impl Health {
    /// Says whether something that the process needs is there.
    pub fn set(&self, what: &str, is_there: bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_there = !state.waiting_for.contains_key(what);
        match is_there {
            true => drop(state.waiting_for.remove(what)),
            // A reason that is known stays.
            false => drop(state.waiting_for.entry(what.to_owned()).or_default()),
        }
        drop(state);
        match is_there {
            true if !was_there => tracing::info!(what, "there"),
            false if was_there => tracing::warn!(what, "waiting"),
            _ => (),
        }
    }

    /// Says that something is missing, and why.
    pub fn waits(&self, what: &str, why: &str) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.waiting_for.insert(what.to_owned(), why.to_owned());
        drop(state);
        if before.is_none_or(|before| before != why) {
            tracing::warn!(what, why, "waiting");
        }
    }

    /// Says that a loop has come round.
    pub fn beat(&self, name: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).beats.insert(name, Instant::now());
    }

    fn ready(&self) -> (StatusCode, String) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.waiting_for.is_empty() {
            true => (StatusCode::OK, "ready\n".to_owned()),
            false => {
                let text = |(what, why): (&String, &String)| match why.is_empty() {
                    true => what.clone(),
                    false => format!("{what}: {why}"),
                };
                let missing: Vec<String> = state.waiting_for.iter().map(text).collect();
                (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for {}\n", missing.join(", ")))
            }
        }
    }

    fn alive(&self) -> (StatusCode, String) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.beats.iter().find(|(_, beat)| beat.elapsed() > SILENCE) {
            None => (StatusCode::OK, "alive\n".to_owned()),
            Some((name, _)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{name} hangs\n")),
        }
    }
}

/// Serves /metrics, /healthz and /readyz for as long as the process runs.
pub async fn serve(address: SocketAddr, metrics: Arc<Metrics>, health: Arc<Health>) -> Result<SocketAddr> {
    let readiness = health.clone();
    let routes = Router::new()
        .route("/metrics", get(move || async move { metrics.render() }))
        .route("/healthz", get(move || async move { health.alive() }))
        .route("/readyz", get(move || async move { readiness.ready() }));
    let listener = TcpListener::bind(address).await.with_context(|| format!("can't listen on {address}"))?;
    let address = listener.local_addr()?;
    tracing::info!(%address, "serving metrics and health");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_what_is_missing() {
        let health = Health::default();
        assert_eq!(health.ready().0, StatusCode::OK);
        health.set("the database", false);
        health.set("brokers (sync)", false);
        let (status, text) = health.ready();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text, "waiting for brokers (sync), the database\n");
        health.waits("the database", "wrong password");
        health.set("the database", false);
        assert_eq!(health.ready().1, "waiting for brokers (sync), the database: wrong password\n");
        health.set("the database", true);
        health.set("brokers (sync)", true);
        assert_eq!(health.ready().0, StatusCode::OK);
    }
}
