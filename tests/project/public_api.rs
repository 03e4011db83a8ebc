//! Pins the public interface: a change of it is a change of `public_api.snap`, or does not compile.
//!
//! Whoever means the change accepts the new listing with `INSTA_UPDATE=always cargo test --test project`.

mod listing;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::hash::Hash;
use std::iter::FusedIterator;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::str::FromStr;

use idgroup::compare::*;
use idgroup::segment::*;
use idgroup::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

#[test]
fn the_public_interface_is_as_listed() {
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "." }, {
        insta::assert_snapshot!("public_api", listing::of_sources());
    });
}

#[test]
fn every_public_type_is_checked_for_auto_traits() {
    let checked: BTreeSet<&str> = AUTO_TRAITS.iter().copied().collect();
    let types = listing::exported_types();
    let unchecked: Vec<_> = types.iter().filter(|name| !checked.contains(name.as_str())).collect();
    assert!(unchecked.is_empty(), "add {unchecked:?} to `auto_traits!`");
}

fn has_auto_traits<T: Send + Sync + UnwindSafe + RefUnwindSafe + Unpin>() {}

/// Each of these types has all auto traits, or this does not compile.
macro_rules! auto_traits {
    ($($name:ident $(<$($parameter:tt),*>)?),* $(,)?) => {
        const AUTO_TRAITS: &[&str] = &[$(stringify!($name)),*];

        const _: fn() = || {
            $(has_auto_traits::<$name $(<$($parameter),*>)?>();)*
        };
    };
}

auto_traits! {
    AddedIds, Amplification, Collection, Comparator<()>, Comparing, Comparison<()>, ComparisonBudget, ComparisonOutcome,
    Checked<ProfileUpdate>, ComparisonKey, Computation, Consent, IdStrategy, Copies, Counted, Counts, CountsIter<'static>, Decision<'static>, DeliveryKey, Destination, DestinationIds<'static>, DestinationVerdict<'static>, DestinationVerdicts<'static, 'static>, Destinations,
    Difference<()>, DifferenceKind, DropReason, Encoder, Explanation<'static>, Extent, ExternalId, ExternalIdKey, Flag, Flow,
    Gap, Gaps, GapsIter, Gate, IdGroup<'static>, IdGroupEvent<'static>, IdGroupHash, InputError, Lane, MalformedTimestamp,
    Membership, MergedProfile, MergedProfiles, MessageId, NextStep<()>, OutboundMessage<'static>,
    OutboundMessages<'static>, OutboundMessagesIter<'static>, GapsOf<'static>, Share, SelectedIdsIter<'static, 'static>,
    SentToIter<'static, 'static>, OutboundSample, OwnedIdGroup, OwnedIdGroupEvent, Problem, ProfileUpdate,
    ProfileUpdateBuilder, Release, RemovedIds, Rollout, Route, RouteReason, Routed<'static>, RoutedWithMemory<'static>, Sample<()>,
    Batch, Completeness, Memory, MemoryDecision<'static>, MemoryError, MemoryExplanation<'static, 'static>,
    MemoryKey, MemoryKeys<'static>, MemoryKeysIter<'static, 'static>, MemoryVerdict<'static, 'static>, MemoryVerdicts<'static, 'static>, NameDigest,
    Recalled<'static>, SentMessage, Settled, SettledBy,
    SelectedIds<'static>, SentTo<'static>, Step, Timestamp, Trigger, TriggerReason, Verdict,
    AudienceSettings, Call<'static>, CallId, CallSettings, CallSettingsIter<'static>, CallType, Calls<'static>, DestinationSettings,
    Refusal<'static>, RefusalReason, Routes<'static>, Supplied<'static>,
}

/// What a listing of sources can't say: these are read and written, and these are errors.
const _: fn() = || {
    fn is_read_and_written<T: DeserializeOwned + Serialize>() {}
    fn is_error<T: core::error::Error>() {}
    fn is_text<T: Copy + DeserializeOwned + Display + FromStr<Err = InputError> + Hash + Ord + Serialize>() {}
    is_read_and_written::<AudienceSettings>();
    is_read_and_written::<CallSettings>();
    is_read_and_written::<Computation>();
    is_read_and_written::<Destination>();
    is_read_and_written::<DestinationSettings>();
    is_read_and_written::<Destinations>();
    is_read_and_written::<ExternalId>();
    is_read_and_written::<ExternalIdKey>();
    is_read_and_written::<Flag>();
    is_read_and_written::<Gate>();
    is_read_and_written::<Memory>();
    is_read_and_written::<MergedProfile>();
    is_read_and_written::<OwnedIdGroupEvent>();
    is_read_and_written::<ProfileUpdate>();
    is_read_and_written::<Rollout>();
    is_read_and_written::<Settled>();
    is_read_and_written::<Share>();
    is_read_and_written::<Timestamp>();
    is_read_and_written::<Trigger>();
    is_text::<CallId>();
    is_text::<CallType>();
    is_text::<Collection>();
    is_text::<ComparisonOutcome>();
    is_text::<Consent>();
    is_text::<DeliveryKey>();
    is_text::<DifferenceKind>();
    is_text::<DropReason>();
    is_text::<Extent>();
    is_text::<Flow>();
    is_text::<Gap>();
    is_text::<IdGroupHash>();
    is_text::<IdStrategy>();
    is_text::<Lane>();
    is_text::<Membership>();
    is_text::<MemoryKey>();
    is_text::<MessageId>();
    is_text::<NameDigest>();
    is_text::<RefusalReason>();
    is_text::<RouteReason>();
    is_text::<Step>();
    is_text::<TriggerReason>();
    is_error::<InputError>();
    is_error::<MalformedTimestamp>();
};

/// What the macros of names and of hashes give each of their types.
const _: () = {
    macro_rules! labels {
        ($($type:ty),* $(,)?) => {$(
            let _: &[$type] = &<$type>::ALL;
            let _: fn($type) -> &'static str = <$type>::as_str;
        )*};
    }
    labels!(
        CallType,
        Collection,
        ComparisonOutcome,
        Consent,
        DifferenceKind,
        DropReason,
        Extent,
        Flow,
        Gap,
        IdStrategy,
        Lane,
        Membership,
        RefusalReason,
        RouteReason,
        Step,
        TriggerReason
    );

    macro_rules! hex_ids {
        ($bytes:literal: $($type:ty),*) => {$(
            let _: fn([u8; $bytes]) -> $type = <$type>::from_bytes;
            let _: fn(&$type) -> &[u8; $bytes] = <$type>::as_bytes;
        )*};
    }
    hex_ids!(16: CallId, DeliveryKey, IdGroupHash, MemoryKey, MessageId);
    hex_ids!(8: NameDigest);
};

/// Everything that is listed can be gone through, from both ends, and says how long it is.
const _: fn() = || {
    fn is_list<T: IntoIterator<IntoIter: DoubleEndedIterator + ExactSizeIterator + FusedIterator>>() {}
    fn is_gone_through<T: IntoIterator<IntoIter: Clone + ExactSizeIterator + FusedIterator>>() {}

    is_list::<&AddedIds>();
    is_list::<AddedIds>();
    is_list::<&Destinations>();
    is_list::<Destinations>();
    is_list::<&MergedProfiles>();
    is_list::<MergedProfiles>();
    is_list::<&RemovedIds>();
    is_list::<RemovedIds>();
    is_gone_through::<&CallSettings>();
    is_gone_through::<&Counts>();
    is_gone_through::<&Explanation<'_>>();
    is_gone_through::<&Gaps>();
    is_gone_through::<&MemoryExplanation<'_, '_>>();
    is_gone_through::<&MemoryKeys<'_>>();
    is_gone_through::<&SelectedIds<'_>>();
    is_gone_through::<&SentTo<'_>>();
};

/// Generics and lifetimes that callers rely on, in the strictest form that must compile.
const _: () = {
    let _: for<'a> fn(&'a ProfileUpdate, &'a Destinations) -> Vec<IdGroupEvent<'a>> = decide;
    let _: for<'a> fn(&'a ProfileUpdate, &'a Destinations, &mut dyn Observer) -> Vec<IdGroupEvent<'a>> =
        |update, destinations, observer| decide_with(update, destinations, observer);
    let _: for<'a> fn(&'a ProfileUpdate, &'a Destinations) -> Vec<IdGroupEvent<'a>> = decide_legacy;
    let _: for<'a> fn(&'a ProfileUpdate, &'a Destinations) -> Explanation<'a> = explain;
};
