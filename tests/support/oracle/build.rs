//! The oracle's worlds as the library's own values, built from code and not from JSON.

use idgroup::{
    Collection, Computation, Consent, Destination, Destinations, ExternalId, ExternalIdKey, IdStrategy,
    Membership, MergedProfile, ProfileUpdate, Timestamp, Trigger,
};

use super::{ACCOUNTS, Tick};

pub fn timestamp(tick: Tick) -> Timestamp {
    // 2026-01-01T00:00:00Z; the other ticks are told in nanoseconds from there
    let new_year: i128 = 1_767_225_600_000_000_000;
    let nanoseconds = match tick {
        0 => -1,
        1 => 0,
        2 => 1,
        3 => 500_000_000,
        4 => 1_000_000_000,
        5 => 3_600_250_000_000,
        _ => panic!("there are six ticks"),
    };
    Timestamp::from_unix_nanoseconds(new_year + nanoseconds).unwrap()
}

pub fn membership(is_in: bool) -> Membership {
    if is_in { Membership::In } else { Membership::Out }
}

pub fn key(key: super::Key) -> ExternalIdKey {
    let made = ExternalIdKey::new(key.kind, key.id).unwrap();
    if key.collection == ACCOUNTS { made.with_collection(Collection::Accounts) } else { made }
}

pub fn external_id(id: &super::Id) -> ExternalId {
    let mut made = ExternalId::from(key(id.key)).with_encoding(id.encoding);
    if let Some(tick) = id.created_at {
        made = made.with_created_at(timestamp(tick));
    }
    if let Some(tick) = id.attached_at {
        made = made.with_attached_at(timestamp(tick));
    }
    if let Some(subscribed) = id.subscribed {
        made = made.with_subscribed(subscribed);
    }
    made
}

pub fn trigger(trigger: &super::Trigger) -> Trigger {
    match trigger {
        super::Trigger::ValueChanged => Trigger::ValueChanged,
        super::Trigger::NewExternalId(added) => {
            Trigger::new_external_id(added.iter().copied().map(key)).unwrap()
        }
        super::Trigger::ProfileMerge(profiles) => {
            Trigger::profile_merge(profiles.iter().map(merged_profile)).unwrap()
        }
        super::Trigger::ExternalIdRemoved(removed) => {
            Trigger::external_id_removed(removed.iter().copied().map(key)).unwrap()
        }
    }
}

fn merged_profile(profile: &super::Profile) -> MergedProfile {
    let made = MergedProfile::new(profile.profile_id, membership(profile.is_in)).unwrap();
    match &profile.external_ids {
        Some(keys) => made.holding(keys.iter().copied().map(key)),
        None => made,
    }
}

pub fn update(update: &super::Update) -> ProfileUpdate {
    let mut builder = ProfileUpdate::builder()
        .id(update.id)
        .space_id(update.space_id)
        .profile_id(update.profile_id)
        .computation(
            Computation::new(update.computation_id)
                .unwrap()
                .with_class(update.class)
                .with_key(update.computation_key),
        )
        .membership(membership(update.is_in))
        .trigger(trigger(&update.trigger))
        .external_ids(update.external_ids.iter().map(external_id));
    if let Some(tick) = update.computed_at {
        builder = builder.computed_at(timestamp(tick));
    }
    builder.build().unwrap()
}

fn strategy(name: &str) -> IdStrategy {
    match name {
        "latest" => IdStrategy::Latest,
        "first" => IdStrategy::First,
        "all" => IdStrategy::All,
        _ => panic!("no such strategy: {name}"),
    }
}

fn consent(name: &str) -> Consent {
    match name {
        "required" => Consent::Required,
        "not_refused" => Consent::NotRefused,
        _ => panic!("no such consent: {name}"),
    }
}

pub fn destinations(destinations: &[super::Destination]) -> Destinations {
    Destinations::new(destinations.iter().map(|to| {
        let mut made = Destination::new(to.id).unwrap();
        if let Some(name) = to.name {
            made = made.with_name(name);
        }
        if let Some(types) = &to.dedupes_on {
            made = made.deduping_on(types.iter().copied()).unwrap();
        }
        if let Some(strategies) = &to.id_strategies {
            let strategies = strategies.iter().map(|(kind, named)| (*kind, strategy(named)));
            made = made.with_id_strategies(strategies).unwrap();
        }
        made.with_consent(to.consent.map(consent))
    }))
    .unwrap()
}
