//! What one of the settings says about a destination.

use std::collections::BTreeMap;
use std::iter::Peekable;

use idgroup::{
    Decision, DestinationVerdict, DropReason, ExternalId, IdGroupEvent, MemoryDecision, MemoryVerdict,
    SelectedIds, Verdict,
};
use serde::Serialize;

use crate::options::Addresses;
use crate::summary::changes::{Change, Outcome};
use crate::writing::words::excerpt;

/// What was decided under one of the settings, whether or not a memory had a say in it.
pub trait Decided {
    fn events(&self) -> &[IdGroupEvent<'_>];

    /// One for each destination, by its id.
    fn sides(&self) -> impl Iterator<Item = Side<'_>>;
}

/// The verdict about a destination under one of the settings.
pub struct Side<'a> {
    destination: &'a str,
    verdict: Verdict,
    external_ids: SelectedIds<'a>,
    /// Only with a memory.
    is_repeat: Option<bool>,
}

#[derive(Serialize)]
pub struct Printed<'a> {
    verdict: &'static str,
    drop_reason: Option<DropReason>,
    #[serde(rename = "repeat", skip_serializing_if = "Option::is_none")]
    is_repeat: Option<bool>,
    messages: u64,
    /// How many external IDs it is sent with of which type.
    id_types: BTreeMap<&'a str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_ids: Option<&'a SelectedIds<'a>>,
}

/// External IDs that a sample names of each side.
const SAMPLED_IDS: usize = 3;

impl Decided for Decision<'_> {
    fn events(&self) -> &[IdGroupEvent<'_>] {
        self.events()
    }

    fn sides(&self) -> impl Iterator<Item = Side<'_>> {
        self.explanation().iter().map(Side::inferred)
    }
}

impl Decided for MemoryDecision<'_> {
    fn events(&self) -> &[IdGroupEvent<'_>] {
        self.events()
    }

    fn sides(&self) -> impl Iterator<Item = Side<'_>> {
        self.explanation().iter().map(Side::remembered)
    }
}

impl<'a> Side<'a> {
    fn inferred(verdict: DestinationVerdict<'a>) -> Self {
        Self {
            destination: verdict.destination().id(),
            verdict: verdict.verdict(),
            external_ids: verdict.external_ids().clone(),
            is_repeat: None,
        }
    }

    fn remembered(verdict: MemoryVerdict<'_, 'a>) -> Self {
        Self {
            destination: verdict.destination().id(),
            verdict: verdict.verdict(),
            external_ids: verdict.external_ids().clone(),
            is_repeat: Some(verdict.is_repeat()),
        }
    }

    pub fn seen(&self) -> (&'a str, Verdict) {
        (self.destination, self.verdict)
    }

    fn id_types(&self) -> BTreeMap<&'a str, u64> {
        let mut types = BTreeMap::new();
        for id in &self.external_ids {
            *types.entry(id.id_type()).or_default() += 1;
        }
        types
    }
}

/// None where the destination is not there.
pub fn outcome(side: &Option<Side<'_>>) -> Outcome {
    Outcome(side.as_ref().map(|side| side.verdict))
}

pub fn messages(side: &Option<Side<'_>>) -> u64 {
    sent(side).map_or(0, SelectedIds::combinations)
}

/// What is sent, if anything is.
fn sent<'s, 'a>(side: &'s Option<Side<'a>>) -> Option<&'s SelectedIds<'a>> {
    side.as_ref().map(|side| &side.external_ids).filter(|ids| !ids.is_empty())
}

/// For people: types, or values if they are asked for.
pub fn named_ids(side: &Option<Side<'_>>, addresses: Addresses) -> String {
    let (named, all): (Vec<String>, usize) = match addresses {
        Addresses::Hidden => {
            let types = side.as_ref().map(Side::id_types).unwrap_or_default();
            let named = types.iter().take(SAMPLED_IDS).map(|(id_type, count)| match count {
                1 => excerpt(id_type),
                _ => format!("{count} {}", excerpt(id_type)),
            });
            (named.collect(), types.len())
        }
        Addresses::Shown => {
            let ids = sent(side).into_iter().flatten().map(ExternalId::id);
            let named = ids.take(SAMPLED_IDS).map(excerpt);
            (named.collect(), sent(side).map_or(0, SelectedIds::len))
        }
    };
    match all - named.len() {
        _ if all == 0 => "nothing".into(),
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

pub fn printed<'s>(side: &'s Option<Side<'_>>, addresses: Addresses) -> Option<Printed<'s>> {
    side.as_ref().map(|known| Printed {
        verdict: known.verdict.as_str(),
        drop_reason: known.verdict.drop_reason(),
        is_repeat: known.is_repeat,
        messages: messages(side),
        id_types: known.id_types(),
        external_ids: (addresses == Addresses::Shown).then_some(&known.external_ids),
    })
}

/// None where the same is sent, or nothing, for whatever reason.
pub fn change([before, after]: &[Option<Side<'_>>; 2]) -> Option<Change> {
    match (sent(before), sent(after)) {
        (None, None) => None,
        (None, Some(_)) => Some(Change::Gained),
        (Some(_), None) => Some(Change::Lost),
        (Some(before), Some(after)) => (before != after).then_some(Change::Moved),
    }
}

/// Both lists, which are sorted by id, as one.
pub fn by_destination<'a>(
    before: impl Iterator<Item = Side<'a>>,
    after: impl Iterator<Item = Side<'a>>,
) -> impl Iterator<Item = (&'a str, [Option<Side<'a>>; 2])> {
    fn id<'a>(sides: &mut Peekable<impl Iterator<Item = Side<'a>>>) -> Option<&'a str> {
        sides.peek().map(|side| side.destination)
    }
    let (mut before, mut after) = (before.peekable(), after.peekable());
    std::iter::from_fn(move || {
        let ids = [id(&mut before), id(&mut after)];
        let first = ids.into_iter().flatten().min()?;
        let is_first = ids.map(|id| id == Some(first));
        let next =
            [if is_first[0] { before.next() } else { None }, if is_first[1] { after.next() } else { None }];
        Some((first, next))
    })
}
