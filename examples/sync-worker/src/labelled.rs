//! Metrics by label: each is looked up once, and found again without a lock.

use std::sync::OnceLock;

/// Labels have few values; what is beyond so many is looked up each time.
const KEPT: usize = 32;

/// A metric for each combination of labels that occurs.
pub struct Labelled<const N: usize, M> {
    look_up: Box<LookUp<N, M>>,
    /// In the order in which they occurred, the free ones at the end.
    kept: [OnceLock<([&'static str; N], M)>; KEPT],
}

type LookUp<const N: usize, M> = dyn Fn(&[&'static str; N]) -> M + Send + Sync;

impl<const N: usize, M: Clone> Labelled<N, M> {
    pub fn new(look_up: impl Fn(&[&'static str; N]) -> M + Send + Sync + 'static) -> Self {
        Self { look_up: Box::new(look_up), kept: [const { OnceLock::new() }; KEPT] }
    }

    /// The metric with these labels, which is there from the first time on.
    pub fn with_label_values(&self, labels: &[&'static str; N]) -> M {
        for slot in &self.kept {
            let (kept, metric) = slot.get_or_init(|| (*labels, (self.look_up)(labels)));
            if kept == labels {
                return metric.clone();
            }
        }
        (self.look_up)(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{IntCounterVec, Opts};

    #[test]
    fn labels_are_told_apart_however_many_there_are() {
        let all = IntCounterVec::new(Opts::new("tries", "tries"), &["of", "and"]).unwrap();
        let of = all.clone();
        let labelled = Labelled::new(move |labels: &[&'static str; 2]| of.with_label_values(labels));
        let names: Vec<&'static str> = (0..KEPT + 3).map(|n| &*n.to_string().leak()).collect();
        for _ in 0..2 {
            for name in &names {
                labelled.with_label_values(&[name, "x"]).inc();
                labelled.with_label_values(&["x", name]).inc_by(10);
            }
        }
        for name in &names {
            assert_eq!(all.with_label_values(&[name, &"x"]).get(), 2, "{name}");
            assert_eq!(all.with_label_values(&[&"x", name]).get(), 20, "{name}");
        }
    }
}
