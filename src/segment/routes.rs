//! Which call each destination of a computation takes.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use crate::decide::destinations::Destinations;
use crate::input::destination::Destination;
use crate::segment::calls::ESCAPED;
use crate::segment::json_size::json_size;
use crate::segment::refusal::RefusalReason;
use crate::segment::settings::{CallSettings, CallType, DestinationSettings};

/// The destinations of a computation and their settings, brought together for many events.
///
/// Build it once for a computation: whether each destination can be called at all is found out here.
#[derive(Clone, Debug)]
pub struct Routes<'a> {
    destinations: &'a Destinations,
    /// In the order of the destinations, by id.
    routes: Box<[Result<RouteTo<'a>, RefusalReason>]>,
}

/// How one destination is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct RouteTo<'a> {
    pub(super) settings: &'a DestinationSettings,
    /// Whether all destinations of this kind are called together.
    pub(super) is_shared: bool,
}

/// In any case, the name of all destinations.
const ALL: &str = "all";

impl<'a> Routes<'a> {
    /// Costs a sort of the destinations' names.
    pub fn new(destinations: &'a Destinations, settings: &'a CallSettings) -> Self {
        let mut bearers = BTreeMap::<&str, usize>::new();
        for name in destinations.as_slice().iter().filter_map(Destination::name) {
            let count = bearers.entry(name).or_default();
            *count = count.saturating_add(1);
        }
        let route = |destination: &'a Destination| {
            let settings = settings.get(destination.id()).ok_or(RefusalReason::SettingsMissing)?;
            let name =
                destination.name().filter(|name| !name.is_empty()).ok_or(RefusalReason::NameMissing)?;
            if name.eq_ignore_ascii_case(ALL) {
                return Err(RefusalReason::ForbiddenName);
            }
            if bearers.get(name) != Some(&1) {
                return Err(RefusalReason::NameNotUnique);
            }
            let is_plain = destination.dedupes_on().is_none();
            let is_shared = is_plain && !settings.is_engage() && !settings.is_list();
            Ok(RouteTo { settings, is_shared })
        };
        Self { destinations, routes: destinations.as_slice().iter().map(route).collect() }
    }

    /// The route to a destination, by its id.
    pub(super) fn to(&self, destination: &Destination) -> Result<RouteTo<'a>, RefusalReason> {
        let by_id = self.destinations.as_slice();
        let position = by_id.binary_search_by(|known| known.id().cmp(destination.id()));
        let route = position.ok().and_then(|position| self.routes.get(position));
        route.copied().unwrap_or(Err(RefusalReason::SettingsMissing))
    }
}

impl RouteTo<'_> {
    pub(super) fn call(&self) -> CallType {
        self.settings.call()
    }

    /// How many bytes the settings have in a call, at most.
    pub(super) fn size(&self) -> usize {
        let id = self.settings.external_audience_id().map_or(0, |id| id.len().saturating_mul(ESCAPED));
        // What has been read can be written; and what could not would be counted with each call.
        let settings = self.settings.audience_settings().map_or(Ok(0), json_size);
        id.saturating_add(settings.unwrap_or(usize::MAX))
    }
}
