//! The calls of an event, one after the other.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use serde::Serialize;

use crate::event::IdGroupEvent;
use crate::event::outbound::OutboundMessages;
use crate::input::destination::Destination;
use crate::input::external_id::ExternalId;
use crate::segment::call::Call;
use crate::segment::computed::{Class, Computed};
use crate::segment::json_size::{json_size, json_size_unless_null};
use crate::segment::message_id::CallIds;
use crate::segment::person::{Person, Profile, is_readable};
use crate::segment::refusal::{Refusal, RefusalReason};
use crate::segment::routes::{RouteTo, Routes};
use crate::segment::settings::CallType;
use crate::segment::supplied::Supplied;

/// What a call must stay below, in bytes of compact JSON: 32 KB, the limit of the API that takes calls.
pub const MAX_CALL_SIZE: usize = 32_768;

/// `,"…":true`
const AROUND_A_NAME: usize = 8;

/// The most bytes that a character's byte takes in JSON: `\u0000`.
pub(super) const ESCAPED: usize = 6;

/// The calls that an event stands for, and the destinations that get none.
///
/// Nothing is multiplied out: this holds a few words per destination, and a call is made when it is
/// asked for.
pub struct Calls<'a, V: ?Sized = (), P = ()> {
    event: &'a IdGroupEvent<'a>,
    pub(super) supplied: Supplied<'a, V, P>,
    pub(super) messages: OutboundMessages<'a>,
    pub(super) profile: Profile<'a>,
    refused: Vec<(Range<usize>, RefusalReason)>,
    pub(super) receivers: Vec<Receivers<'a>>,
    /// What both of them are about, each its own run.
    destinations: Vec<&'a Destination>,
}

/// Destinations that the same calls go to.
pub(super) struct Receivers<'a> {
    members: Range<usize>,
    pub(super) route: RouteTo<'a>,
    pub(super) computed: Computed<'a>,
    ids: CallIds,
    /// How many bytes everything but the person and the IDs can have, in each of their calls.
    size: usize,
}

impl Routes<'_> {
    /// The calls of an event, with what only the caller knows.
    ///
    /// The cost grows with the number of the event's destinations and external IDs, whatever the number of calls.
    pub fn calls<'c, V: Serialize + ?Sized, P: Serialize>(
        &'c self,
        event: &'c IdGroupEvent<'c>,
        supplied: Supplied<'c, V, P>,
    ) -> Calls<'c, V, P> {
        let mut calls = Calls {
            event,
            supplied,
            messages: event.outbound_messages(),
            profile: Profile::of(event.update()),
            refused: Vec::new(),
            receivers: Vec::new(),
            destinations: Vec::new(),
        };
        let computed = Computed::new(event, &supplied);
        match computed.and_then(|computed| Ok((computed, fixed_size(&computed, &supplied)?))) {
            Ok((computed, size)) => calls.sort_out(self, computed, size),
            Err(reason) => {
                let all = calls.run(event.destinations().iter());
                calls.refused.push((all, reason));
            }
        }
        calls
    }
}

/// How many bytes what all calls of an event have in common can have.
fn fixed_size<V: Serialize + ?Sized, P: Serialize>(
    computed: &Computed<'_>,
    supplied: &Supplied<'_, V, P>,
) -> Result<usize, RefusalReason> {
    /// Names of fields, brackets, and what has one length: some 600 bytes, and room.
    const SKELETON: usize = 1_024;
    let texts = [computed.key; 4].into_iter().chain([computed.id, computed.space_id, computed.space_id]);
    let mut size = texts.map(|text| text.len().saturating_mul(ESCAPED)).fold(SKELETON, usize::saturating_add);
    let mut add = |bytes: usize| size = size.saturating_add(bytes);
    if computed.has_value() {
        add(json_size_unless_null(&supplied.value)?.ok_or(RefusalReason::ValueMissing)?);
    }
    for (name, value) in supplied.personas {
        add(json_size(name)?);
        add(json_size(value)?);
        add(2);
    }
    Ok(size)
}

impl<'a, V: ?Sized, P> Calls<'a, V, P> {
    /// The event.
    pub fn event(&self) -> &'a IdGroupEvent<'a> {
        self.event
    }

    /// The destinations that get no call at all, by their ids, and why.
    pub fn refusals(&self) -> impl Iterator<Item = Refusal<'_>> + Clone {
        self.refused.iter().map(|(members, reason)| self.refusal(members, *reason))
    }

    /// How many calls there are, with those that are refused for themselves; [`u64::MAX`] if there are
    /// that many or more.
    pub fn count(&self) -> u64 {
        self.receivers.iter().map(|receivers| self.count_for(receivers)).fold(0, u64::saturating_add)
    }

    fn count_for(&self, receivers: &Receivers<'_>) -> u64 {
        match receivers.route.settings.is_engage() {
            true => self.messages.count().min(1),
            false => self.messages.count(),
        }
    }

    pub(super) fn members(&self, receivers: &Receivers<'_>) -> &[&'a Destination] {
        self.destinations.get(receivers.members.clone()).unwrap_or_default()
    }

    fn refusal(&self, members: &Range<usize>, reason: RefusalReason) -> Refusal<'_> {
        Refusal { destinations: self.destinations.get(members.clone()).unwrap_or_default(), reason }
    }

    /// Puts these destinations among all, and says where.
    fn run(&mut self, destinations: impl Iterator<Item = &'a Destination>) -> Range<usize> {
        let start = self.destinations.len();
        self.destinations.extend(destinations);
        start..self.destinations.len()
    }

    fn sort_out(&mut self, routes: &'a Routes<'_>, computed: Computed<'a>, fixed_size: usize) {
        let event = self.event;
        let has_address = event.id_group().external_ids().iter().any(is_readable);
        let mut sharing: [Vec<&Destination>; 2] = [Vec::new(), Vec::new()];
        for destination in event.destinations() {
            let refused = match routes.to(destination) {
                Err(reason) => reason,
                Ok(route) if computed.class == Class::Trait && route.settings.is_list() => {
                    RefusalReason::TraitForList
                }
                Ok(route) if route.settings.is_engage() && !has_address => RefusalReason::OnlyEncodedIds,
                Ok(route) if route.is_shared => {
                    let [identify, track] = &mut sharing;
                    match route.call() {
                        CallType::Identify => identify.push(destination),
                        CallType::Track => track.push(destination),
                    }
                    continue;
                }
                Ok(route) => {
                    self.receive([destination].into_iter(), route, computed, fixed_size);
                    continue;
                }
            };
            let members = self.run([destination].into_iter());
            self.refused.push((members, refused));
        }
        for members in sharing {
            if let Some(Ok(route)) = members.first().map(|first| routes.to(first)) {
                self.receive(members.into_iter(), route, computed, fixed_size);
            }
        }
        let destinations = &self.destinations;
        let first =
            |receivers: &Receivers<'_>| destinations.get(receivers.members.start).map(|first| first.id());
        self.receivers.sort_unstable_by(|a, b| first(a).cmp(&first(b)));
    }

    fn receive(
        &mut self,
        destinations: impl Iterator<Item = &'a Destination>,
        route: RouteTo<'a>,
        computed: Computed<'a>,
        fixed_size: usize,
    ) {
        let members = self.run(destinations);
        let destinations = self.destinations.get(members.clone()).unwrap_or_default();
        let own = if route.is_shared { None } else { destinations.first().map(|only| only.id()) };
        let ids = CallIds::new(self.event.message_id(), route.call(), own);
        let names = destinations.iter().filter_map(|destination| destination.name());
        let sizes = names.map(|name| name.len().saturating_mul(ESCAPED).saturating_add(AROUND_A_NAME));
        let size = sizes.fold(fixed_size.saturating_add(route.size()), usize::saturating_add);
        self.receivers.push(Receivers { members, route, computed, ids, size });
    }
}

impl<V: Serialize + ?Sized, P: Serialize> Calls<'_, V, P> {
    /// First the refusals, and then the calls, by the id of the first destination that they go to: of
    /// each event's combinations of IDs that of the latest IDs comes last, so that it is what a
    /// receiver remembers that knows one address per person. A call that can't be sent is a refusal
    /// in its place. Allocates nothing, but for the ids of an Engage sender's call.
    pub fn iter(&self) -> impl Iterator<Item = Result<Call<'_, V, P>, Refusal<'_>>> {
        let calls = self.receivers.iter().flat_map(|receivers| {
            let latest_last = (0..self.count_for(receivers)).rev();
            latest_last.filter_map(|position| self.call(receivers, position))
        });
        self.refusals().map(Err).chain(calls)
    }

    fn call<'m>(
        &'m self,
        receivers: &'m Receivers<'m>,
        position: u64,
    ) -> Option<Result<Call<'m, V, P>, Refusal<'m>>> {
        let call = self.call_at(receivers, position)?;
        Some(match call.is_small_enough(receivers.size) {
            true => Ok(call),
            false => Err(self.refusal(&receivers.members, RefusalReason::TooLarge)),
        })
    }

    /// The call at a position, whatever its size.
    pub(super) fn call_at<'m>(
        &'m self,
        receivers: &'m Receivers<'m>,
        position: u64,
    ) -> Option<Call<'m, V, P>> {
        let message = self.messages.get(position)?;
        let person = Person::new(&message.external_ids(), self.profile);
        let id = match receivers.route.settings.is_engage() {
            true => receivers.ids.of_list(self.addresses()),
            false => receivers.ids.of_combination(&message.external_ids()),
        };
        Some(Call { calls: self, receivers, message, person, id })
    }

    /// The IDs that a sender may choose from: of each type from latest to earliest.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &ExternalId> + Clone {
        self.event.id_group().external_ids().iter().filter(|id| is_readable(id))
    }
}

/// Without the external IDs.
impl<V: ?Sized, P> fmt::Debug for Calls<'_, V, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refusals: Vec<_> = self.refusals().collect();
        f.debug_struct("Calls")
            .field("count", &self.count())
            .field("refusals", &refusals)
            .finish_non_exhaustive()
    }
}
