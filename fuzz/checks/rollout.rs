//! From bytes to a rollout, to the routes of spaces.

use idgroup::{Flag, Flow, Rollout, Share};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// `bytes` are the JSON of a rollout.
pub fn check(bytes: &[u8]) {
    let Some(rollout) = super::round_trip::<Rollout>(bytes) else { return };
    let written = serde_json::to_value(&rollout).unwrap();
    let names = |list: &str| strings(&written["gate"][list]);
    let spaces = [names("spaces"), names("blocked_spaces"), names("tiers")].concat();
    let tiers = [names("tiers"), names("spaces")].concat();
    for space in spaces.iter().copied().chain(["spa_1", "spa_2", "spa_3", ""]).take(20) {
        for tier in tiers.iter().copied().map(Some).chain([None, Some("beta"), Some("")]).take(20) {
            assert_routed(&rollout, &written, space, tier);
        }
    }
    assert_share_only_adds(&written, &spaces);
}

/// The table of a rollout, read from its JSON.
fn assert_routed(rollout: &Rollout, written: &Value, space: &str, tier: Option<&str>) {
    let lists = |list: &str, name: &str| strings(&written["gate"][list]).contains(&name);
    let flag = &written["flag"];
    let admitted =
        admits(flag["name"].as_str().unwrap(), flag["share_basis_points"].as_u64().unwrap(), space);
    let open = lists("spaces", space) || tier.is_some_and(|tier| lists("tiers", tier));
    let open = open && !lists("blocked_spaces", space);
    let compare = written["compare"].as_bool().unwrap();
    let expected = match (admitted, open) {
        (false, _) => (true, false, false, Flow::Legacy),
        (true, false) => (true, true, compare, Flow::Legacy),
        (true, true) => (compare, true, compare, Flow::Dedupe),
    };
    let route = rollout.route(space, tier);
    let routed = (route.runs(Flow::Legacy), route.runs(Flow::Dedupe), route.compares(), route.sends());
    assert_eq!(routed, expected, "{}", route.reason());
}

/// Whether a space is in the first `share` of 10,000 equal parts, by a hash of both names.
fn admits(flag: &str, share: u64, space: &str) -> bool {
    let mut bytes = b"idgroup/rollout/1".to_vec();
    for name in [flag, space] {
        bytes.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
        bytes.extend(name.as_bytes());
    }
    let place = u64::from_be_bytes(Sha256::digest(bytes)[..8].try_into().unwrap());
    (u128::from(place) * 10_000) >> 64 < share.into()
}

fn assert_share_only_adds(written: &Value, spaces: &[&str]) {
    let name = written["flag"]["name"].as_str().unwrap();
    let shares = [0, 1, 2_500, 5_000, 9_999, 10_000]
        .map(|share| Flag::new(name, Share::from_basis_points(share).unwrap()).unwrap());
    for space in spaces.iter().copied().chain(["spa_1", "spa_2"]).take(20) {
        let admitted = shares.each_ref().map(|flag| flag.admits(space));
        assert!(admitted.is_sorted(), "a larger share leaves out a space that a smaller one admits");
        assert_eq!((admitted[0], admitted[5]), (false, true));
    }
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}
