//! Posts batches over HTTP/1.1, and says what an answer means.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use crate::connect;

const TO_CONNECT: Duration = Duration::from_secs(5);
/// How long a connection waits for the next post.
const KEPT: Duration = Duration::from_secs(30);
/// Bodies of answers say nothing that is looked at. They are read so that the connection can be kept, as
/// long as that is quick.
const ANSWER_BYTES: usize = 65_536;
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// No endpoint is left alone for longer because it asks for it.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

pub struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    patience: Duration,
}

/// What became of a post.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Taken,
    /// What was posted is at fault: a part of it may do.
    Refused(StatusCode),
    Failed(Failure),
}

/// Why a post was not taken, for reasons that are not its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For people: says nothing of what was posted.
    pub why: String,
    /// When to come back, where the endpoint says so.
    pub after: Option<Duration>,
    pub kind: FailureKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It may have been taken all the same.
    Uncertain,
    /// It was not taken, and a moment later it may be.
    Passing,
    /// It was not taken, and won't be before somebody has done something about it.
    Lasting,
}

impl Client {
    /// Trusts this authority, or those of the machine. Waits so long for an answer.
    pub fn new(authority: Option<&Path>, patience: Duration) -> Result<Self> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(TO_CONNECT));
        http.set_nodelay(true);
        http.set_keepalive(Some(Duration::from_secs(15)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(connect::tls(authority)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(KEPT)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(connector);
        Ok(Self { http, patience })
    }

    /// Posts a packed batch.
    pub async fn post(&self, endpoint: &Uri, authorization: Option<&HeaderValue>, body: Bytes) -> Answer {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(USER_AGENT, HeaderValue::from_static("idgroup-sync-worker"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        match timeout(self.patience, self.http.request(request)).await {
            Err(_) => {
                let why = format!("no answer within {} seconds", self.patience.as_secs_f32());
                Answer::Failed(Failure { why, after: None, kind: FailureKind::Uncertain })
            }
            Ok(Err(error)) => {
                let kind = if error.is_connect() { FailureKind::Passing } else { FailureKind::Uncertain };
                Answer::Failed(Failure { why: causes(&error), after: None, kind })
            }
            Ok(Ok(response)) => {
                let (head, body) = response.into_parts();
                // A body that is not read to its end takes its connection with it.
                let _ = timeout(ANSWER_TIME, Limited::new(body, ANSWER_BYTES).collect()).await;
                meaning(head.status, &head.headers, SystemTime::now())
            }
        }
    }
}

/// What an answer means. Redirects are followed nowhere: the calls are people's, and the write key the
/// endpoint's.
fn meaning(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Answer {
    let kind = match status.as_u16() {
        200..=299 => return Answer::Taken,
        400 | 413 | 422 => return Answer::Refused(status),
        408 | 425 | 429 => FailureKind::Passing,
        500..=599 => FailureKind::Uncertain,
        _ => FailureKind::Lasting,
    };
    let why = match status.as_u16() {
        401 | 403 => format!("the write key is refused ({})", status.as_u16()),
        300..=399 => format!("redirects are not followed ({})", status.as_u16()),
        number => format!("it answers {number}"),
    };
    let after = headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
    Answer::Failed(Failure { why, after, kind })
}

/// `Retry-After`, in seconds or as a date; within bounds.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let pause = match is_number {
        true => Duration::from_secs(text.parse().unwrap_or(u64::MAX)),
        // A date that is over asks for no pause.
        false => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(pause.min(LONGEST_RETRY_AFTER))
}

/// An error with what led to it: kinds of failures and addresses, and nothing that was sent.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> SystemTime {
        httpdate::parse_http_date("Mon, 05 Jan 2026 10:00:00 GMT").unwrap()
    }

    #[test]
    fn a_pause_is_given_in_seconds_or_as_a_date() {
        let seconds = |text| retry_after(text, now()).map(|pause| pause.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("Mon, 05 Jan 2026 10:00:30 GMT"), Some(30));
        assert_eq!(seconds("Mon, 05 Jan 2026 09:00:00 GMT"), Some(0), "it is over");
        assert_eq!(seconds("86400"), Some(300), "nobody is left alone for a day");
        assert_eq!(seconds("99999999999999999999999"), Some(300));
        assert_eq!(seconds("Sat, 05 Jan 2126 10:00:00 GMT"), Some(300));
        for text in ["", "-1", "1.5", "soon", "+5"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn answers_mean_who_is_at_fault() {
        let kind = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            match meaning(status, &HeaderMap::new(), now()) {
                Answer::Taken => "taken",
                Answer::Refused(_) => "refused",
                Answer::Failed(failure) => match failure.kind {
                    FailureKind::Uncertain => "uncertain",
                    FailureKind::Passing => "passing",
                    FailureKind::Lasting => "lasting",
                },
            }
        };
        for (statuses, expected) in [
            (&[200, 202, 204][..], "taken"),
            (&[400, 413, 422], "refused"),
            (&[408, 425, 429], "passing"),
            (&[500, 502, 503, 599], "uncertain"),
            (&[301, 307, 401, 403, 404, 405, 410], "lasting"),
        ] {
            for status in statuses {
                assert_eq!(kind(*status), expected, "{status}");
            }
        }
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        let answer = meaning(StatusCode::TOO_MANY_REQUESTS, &headers, now());
        let after = Some(Duration::from_secs(7));
        let why = "it answers 429".to_owned();
        assert_eq!(answer, Answer::Failed(Failure { why, after, kind: FailureKind::Passing }));
    }
}
