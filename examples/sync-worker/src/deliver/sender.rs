//! Posts calls of one delivery, once, and says what became of each.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hyper::StatusCode;

use crate::deliver::batch::{batches, body};
use crate::deliver::call::Call;
use crate::deliver::claims::Claims;
use crate::deliver::client::{Answer, Client, Failure, FailureKind};
use crate::deliver::pace::Pace;
use crate::deliver::settings::{Delivery, Settings};
use crate::metrics::Metrics;

pub struct Sender {
    pub settings: Arc<Settings>,
    client: Client,
    claims: Claims,
    metrics: Arc<Metrics>,
    paces: Mutex<HashMap<String, Pace>>,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Taken,
    /// It was taken before.
    Repeat,
    /// It is refused, or must not be posted again: a dead letter, and why.
    Dead(String),
    /// It is to be posted again.
    Waiting,
}

/// What became of some calls, each at its place; and why some are waiting.
pub struct Sent {
    pub fates: Vec<Fate>,
    pub failure: Option<Failure>,
}

impl Sender {
    pub fn new(settings: Arc<Settings>, client: Client, claims: Claims, metrics: Arc<Metrics>) -> Self {
        Self { settings, client, claims, metrics, paces: Mutex::default() }
    }

    /// Posts calls of one delivery in their order, up to the first failure, and begins nothing after this
    /// time.
    pub async fn send(&self, delivery: &str, calls: &[&Call], until: Option<Instant>) -> Sent {
        let mut sent = Sent { fates: vec![Fate::Waiting; calls.len()], failure: None };
        let found = self.settings.of(delivery);
        let how = match &*found {
            Ok(how) => how,
            Err(why) => {
                let failure = Failure { why: why.clone(), after: None, kind: FailureKind::Lasting };
                sent.failure = Some(failure);
                return sent;
            }
        };
        // What is there twice is posted once.
        let mut first = HashSet::new();
        let once: Vec<usize> =
            (0..calls.len()).filter(|position| first.insert(&*calls[*position].message_id)).collect();
        let unique: Vec<&Call> = once.iter().map(|position| calls[*position]).collect();
        let most = how.calls_per_second.map_or(usize::MAX, |rate| rate as usize);
        for batch in batches(&unique, most) {
            let batch: Vec<usize> = batch.into_iter().map(|position| once[position]).collect();
            self.send_batch(delivery, how, calls, batch, &mut sent).await;
            if sent.failure.is_some() || until.is_some_and(|until| Instant::now() > until) {
                break;
            }
        }
        let fates: HashMap<&str, Fate> = once
            .iter()
            .map(|position| (&*calls[*position].message_id, sent.fates[*position].clone()))
            .collect();
        for (call, fate) in calls.iter().zip(&mut sent.fates) {
            if let Some(of_first) = fates.get(&*call.message_id) {
                fate.clone_from(of_first);
            }
        }
        sent
    }

    async fn send_batch(
        &self,
        delivery: &str,
        how: &Delivery,
        calls: &[&Call],
        mut batch: Vec<usize>,
        sent: &mut Sent,
    ) {
        let ids = |part: &[usize]| -> Vec<&str> {
            part.iter().map(|position| &*calls[*position].message_id).collect()
        };
        let before = self.claims.before(delivery, &ids(&batch)).await;
        batch.retain(|position| match before.get(&calls[*position].message_id) {
            None => true,
            Some(is_done) => {
                sent.fates[*position] = match is_done {
                    true => Fate::Repeat,
                    false => uncertain("it was claimed before"),
                };
                false
            }
        });
        // What is refused is halved until it is known which call it is that is refused.
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.post(delivery, how, part.iter().map(|position| calls[*position]), part.len()).await {
                Answer::Taken => {
                    self.claims.taken(delivery, &ids(&part)).await;
                    part.iter().for_each(|position| sent.fates[*position] = Fate::Taken);
                }
                Answer::Refused(status) if part.len() == 1 => {
                    self.claims.not_taken(delivery, &ids(&part)).await;
                    part.iter().for_each(|position| sent.fates[*position] = refused(status));
                }
                Answer::Refused(_) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second.to_vec(), first.to_vec()]);
                }
                Answer::Failed(failure) => {
                    if failure.kind == FailureKind::Uncertain && self.claims.never_repeats() {
                        part.iter().for_each(|position| sent.fates[*position] = uncertain(&failure.why));
                    } else {
                        parts.push(part);
                    }
                    self.claims.not_taken(delivery, &ids(&parts.concat())).await;
                    sent.failure = Some(failure);
                    return;
                }
            }
        }
    }

    /// One post, as fast as the delivery may be.
    async fn post<'c>(
        &self,
        delivery: &str,
        how: &Delivery,
        calls: impl Iterator<Item = &'c Call> + Send,
        count: usize,
    ) -> Answer {
        let pause = {
            let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
            let pace = paces.entry(delivery.to_owned()).or_insert_with(Pace::new);
            pace.reserve(count, how.calls_per_second, Instant::now())
        };
        let body = body(calls);
        tokio::time::sleep(pause).await;
        let began = Instant::now();
        let answer = self.client.post(&how.endpoint, how.authorization.as_ref(), body).await;
        self.metrics.post_seconds.observe(began.elapsed().as_secs_f64());
        let label = match &answer {
            Answer::Taken => "taken",
            Answer::Refused(_) => "refused",
            Answer::Failed(failure) => match failure.kind {
                FailureKind::Uncertain => "uncertain",
                FailureKind::Passing => "passing",
                FailureKind::Lasting => "lasting",
            },
        };
        self.metrics.posts.with_label_values(&[label]).inc();
        answer
    }
}

fn refused(status: StatusCode) -> Fate {
    Fate::Dead(format!("the endpoint refuses the call ({})", status.as_u16()))
}

fn uncertain(why: &str) -> Fate {
    Fate::Dead(format!("whether the call was taken is not known, and it is posted at most once: {why}"))
}
