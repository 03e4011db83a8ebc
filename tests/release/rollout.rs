//! The rollout: which spaces a flag admits, what is run, compared and sent for each, and which
//! configurations are refused.

use idgroup::compare::{ComparisonBudget, ComparisonKey};
use idgroup::{
    Comparing, Destinations, Flag, Flow, Gate, ProfileUpdate, Release, Rollout, Route, RouteReason, Share,
    decide, decide_legacy,
};
use proptest::collection::btree_set;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::build;

fn basis_points(share: u16) -> Share {
    Share::from_basis_points(share).unwrap()
}

fn flag(share: u16) -> Flag {
    Flag::new("dedupe", basis_points(share)).unwrap()
}

fn spaces(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("spa_{number}")).collect()
}

/// The basis point at which a space lies, by another implementation:
///
/// ```text
/// python3 -c '
/// import hashlib, struct, sys
/// part = lambda text: struct.pack(">I", len(text.encode())) + text.encode()
/// flag, space = sys.argv[1:]
/// digest = hashlib.sha256(b"idgroup/rollout/1" + part(flag) + part(space)).digest()
/// print(int.from_bytes(digest[:8], "big") * 10_000 >> 64)' dedupe spa_1
/// ```
///
/// or, with the digest's first 16 hexadecimal digits to be multiplied by hand,
///
/// ```text
/// printf 'idgroup/rollout/1\0\0\0\6dedupe\0\0\0\5spa_1' | sha256sum
/// ```
const BASIS_POINTS: [(&str, &str, u16); 8] = [
    ("dedupe", "spa_1", 9_932),
    ("dedupe", "spa_2", 1_336),
    ("dedupe2", "spa_1", 2_380),
    ("dedupe", "2spa_1", 8_248),
    ("é", "space with ünïcode", 8_067),
    ("ab", "c", 3_052),
    ("a", "bc", 6_838),
    ("dedupe", "", 9_779),
];

#[test]
fn spaces_lie_where_another_implementation_puts_them() {
    for (name, space, basis_point) in BASIS_POINTS {
        let admits = |share| Flag::new(name, basis_points(share)).unwrap().admits(space);
        assert!(!admits(basis_point), "{name} admits {space:?} at {basis_point}");
        assert!(admits(basis_point + 1), "{name} does not admit {space:?} above {basis_point}");
    }
}

/// At every share that a space could cross, over as many spaces as a large platform has.
#[test]
fn raising_the_share_only_adds_spaces() {
    const SHARES: [u16; 9] = [0, 1, 10, 100, 1_000, 2_500, 5_000, 9_999, 10_000];
    const SPACES: u32 = 100_000;
    let flags = SHARES.map(flag);
    let mut admitted = [0_u32; SHARES.len()];
    for space in spaces(SPACES as usize) {
        let admits: Vec<bool> = flags.iter().map(|flag| flag.admits(&space)).collect();
        assert!(admits.is_sorted(), "{space} is admitted and then is not: {admits:?}");
        for (count, admits) in admitted.iter_mut().zip(admits) {
            *count += u32::from(admits);
        }
    }
    println!("{admitted:?}");
    for (share, admitted) in SHARES.into_iter().zip(admitted) {
        let asked = f64::from(share) / 10_000.0;
        let spaces = f64::from(SPACES);
        let off = (f64::from(admitted) - asked * spaces).abs();
        assert!(off <= 0.01 * spaces, "{admitted} for {share}");
        // Draws at random would be as near as this 9,999 times of 10,000.
        assert!(off <= 4.0 * (spaces * asked * (1.0 - asked)).sqrt(), "{admitted} for {share}");
    }
    assert_eq!((admitted[0], admitted[8]), (0, SPACES));
}

#[test]
fn every_step_of_the_share_only_adds_spaces() {
    for space in spaces(20) {
        let admits: Vec<bool> = (0..=10_000).map(|share| flag(share).admits(&space)).collect();
        assert!(admits.is_sorted());
        assert!(!admits[0], "0 is the shutoff");
        assert!(admits[10_000], "10,000 is everybody");
    }
}

#[test]
fn two_flags_cut_independently() {
    let (one, other) =
        (Flag::new("dedupe", basis_points(5_000)).unwrap(), Flag::new("other", basis_points(5_000)).unwrap());
    let mut table = [[0_i32; 2]; 2];
    for space in spaces(20_000) {
        table[usize::from(one.admits(&space))][usize::from(other.admits(&space))] += 1;
    }
    println!("{table:?}");
    // A quarter each: 5,000, with a standard deviation of 61.
    assert!(table.as_flattened().iter().all(|count| (count - 5_000).abs() < 4 * 61), "{table:?}");
}

/// Where the name ends and the space begins is a part of what is hashed.
#[test]
fn a_name_and_a_space_do_not_run_into_each_other() {
    let admits = |name, space| Flag::new(name, basis_points(5_000)).unwrap().admits(space);
    assert!(admits("ab", "c"));
    assert!(!admits("a", "bc"));
}

#[derive(Clone, Copy)]
struct Row {
    reason: RouteReason,
    comparing: Comparing,
    runs_legacy: bool,
    runs_dedupe: bool,
    compares: bool,
    sends: Flow,
}

const OFF: Comparing = Comparing::Off;
const ON: Comparing = Comparing::On;

#[rustfmt::skip]
const TABLE: [Row; 10] = [
    Row { reason: RouteReason::NotAdmitted,  comparing: OFF, runs_legacy: true,  runs_dedupe: false, compares: false, sends: Flow::Legacy },
    Row { reason: RouteReason::NotAdmitted,  comparing: ON,  runs_legacy: true,  runs_dedupe: false, compares: false, sends: Flow::Legacy },
    Row { reason: RouteReason::SpaceBlocked, comparing: OFF, runs_legacy: true,  runs_dedupe: true,  compares: false, sends: Flow::Legacy },
    Row { reason: RouteReason::SpaceBlocked, comparing: ON,  runs_legacy: true,  runs_dedupe: true,  compares: true,  sends: Flow::Legacy },
    Row { reason: RouteReason::GateClosed,   comparing: OFF, runs_legacy: true,  runs_dedupe: true,  compares: false, sends: Flow::Legacy },
    Row { reason: RouteReason::GateClosed,   comparing: ON,  runs_legacy: true,  runs_dedupe: true,  compares: true,  sends: Flow::Legacy },
    Row { reason: RouteReason::SpaceOpen,    comparing: OFF, runs_legacy: false, runs_dedupe: true,  compares: false, sends: Flow::Dedupe },
    Row { reason: RouteReason::SpaceOpen,    comparing: ON,  runs_legacy: true,  runs_dedupe: true,  compares: true,  sends: Flow::Dedupe },
    Row { reason: RouteReason::TierOpen,     comparing: OFF, runs_legacy: false, runs_dedupe: true,  compares: false, sends: Flow::Dedupe },
    Row { reason: RouteReason::TierOpen,     comparing: ON,  runs_legacy: true,  runs_dedupe: true,  compares: true,  sends: Flow::Dedupe },
];

/// A rollout that routes `spa_1` of a customer in the tier `beta` for this reason.
fn rollout(reason: RouteReason, comparing: Comparing) -> Rollout {
    let gate = match reason {
        // Open in every way, and shut off.
        RouteReason::NotAdmitted => {
            Gate::closed().opened_for_space("spa_1").unwrap().opened_for_tier("beta").unwrap()
        }
        RouteReason::SpaceBlocked => Gate::closed()
            .opened_for_space("spa_1")
            .unwrap()
            .opened_for_tier("beta")
            .unwrap()
            .blocked_for_space("spa_1")
            .unwrap(),
        RouteReason::GateClosed => Gate::closed()
            .opened_for_space("spa_2")
            .unwrap()
            .opened_for_tier("gold")
            .unwrap()
            .blocked_for_space("spa_3")
            .unwrap(),
        RouteReason::SpaceOpen => Gate::closed().opened_for_space("spa_1").unwrap(),
        RouteReason::TierOpen => {
            Gate::closed().opened_for_tier("beta").unwrap().blocked_for_space("spa_2").unwrap()
        }
        _ => panic!("a reason that is not in the table"),
    };
    let share = if reason == RouteReason::NotAdmitted { 0 } else { 10_000 };
    Rollout::new(flag(share)).with_gate(gate).with_comparing(comparing)
}

#[track_caller]
fn assert_row(route: Route, row: Row) {
    assert_eq!(route.reason(), row.reason);
    assert_eq!(route.runs(Flow::Legacy), row.runs_legacy);
    assert_eq!(route.runs(Flow::Dedupe), row.runs_dedupe);
    assert_eq!(route.compares(), row.compares);
    assert_eq!(route.sends(), row.sends);
    assert!(route.runs(route.sends()), "what is sent is made");
    assert!(!route.compares() || (row.runs_legacy && row.runs_dedupe), "what is compared is made");
}

#[test]
fn routes_are_those_of_the_table() {
    for row in TABLE {
        assert_row(rollout(row.reason, row.comparing).route("spa_1", Some("beta")), row);
    }
}

#[test]
fn a_routed_decision_runs_compares_and_sends_what_the_table_says() {
    let update = update("spa_1");
    let destinations = destinations();
    let (legacy, dedupe) = (decide_legacy(&update, &destinations), decide(&update, &destinations));
    assert_ne!(legacy, dedupe);
    for row in TABLE {
        let release = Release::new(rollout(row.reason, row.comparing), ComparisonKey::new([1; 16]));
        let routed = release.decide(&update, Some("beta"), &destinations);
        assert_row(routed.route, row);
        assert_eq!(routed.route, release.rollout().route_update(&update, Some("beta")));
        let sent = if row.sends == Flow::Legacy { &legacy } else { &dedupe };
        assert_eq!(routed.events, *sent);
        assert_eq!(routed.comparison.is_some(), row.compares);
        assert!(routed.comparison.is_none_or(|comparison| comparison.is_identical()));
    }
}

/// The budget of a release is that of its comparison, and a refusal changes nothing that is sent.
#[test]
fn a_refused_comparison_holds_nothing_up() {
    let release = Release::new(rollout(RouteReason::SpaceOpen, Comparing::On), ComparisonKey::new([1; 16]))
        .with_budget(ComparisonBudget::default().with_messages(1));
    let (update, destinations) = (update("spa_1"), destinations());
    let routed = release.decide(&update, None, &destinations);
    assert_eq!(routed.events, decide(&update, &destinations));
    assert_eq!(routed.comparison.unwrap().as_str(), "refused");
}

#[test]
fn the_default_is_the_legacy_flow_for_everybody() {
    for space in spaces(1_000) {
        let route = Rollout::default().route(&space, Some("beta"));
        assert_row(route, TABLE[0]);
    }
    assert_eq!((Flag::default().name(), Flag::default().share()), ("dedupe", Share::NONE));
    assert_eq!(Rollout::default(), Rollout::new(Flag::default()));
    assert_eq!(Gate::closed(), Gate::default());
}

#[test]
fn a_space_without_a_tier_is_in_none() {
    let rollout = rollout(RouteReason::TierOpen, Comparing::Off);
    assert_eq!(rollout.route("spa_1", None).reason(), RouteReason::GateClosed);
    assert_eq!(rollout.route("spa_1", Some("")).reason(), RouteReason::GateClosed);
    assert_eq!(rollout.route("spa_1", Some("Beta")).reason(), RouteReason::GateClosed);
    assert_eq!(rollout.route("spa_1", Some("beta")).reason(), RouteReason::TierOpen);
}

#[test]
fn a_tier_is_no_space_and_a_space_no_tier() {
    let gate = Gate::closed().opened_for_space("beta").unwrap().opened_for_tier("spa_1").unwrap();
    let rollout = Rollout::new(flag(10_000)).with_gate(gate);
    assert_eq!(rollout.route("spa_1", Some("beta")).reason(), RouteReason::GateClosed);
    assert_eq!(rollout.route("beta", None).reason(), RouteReason::SpaceOpen);
}

#[test]
fn a_flag_takes_part_by_its_share() {
    let rollout =
        |share| Rollout::new(flag(share)).with_gate(Gate::closed().opened_for_space("spa_2").unwrap());
    assert_eq!(rollout(1_336).route("spa_2", None).reason(), RouteReason::NotAdmitted);
    assert_eq!(rollout(1_337).route("spa_2", None).reason(), RouteReason::SpaceOpen);
    assert_eq!(rollout(1_337).route_update(&update("spa_2"), None).reason(), RouteReason::SpaceOpen);
    assert_eq!(rollout(1_337).route_update(&update("spa_1"), None).reason(), RouteReason::NotAdmitted);
}

#[test]
fn reasons_have_names() {
    let names = RouteReason::ALL.map(|reason| reason.to_string());
    assert_eq!(names, ["not_admitted", "space_blocked", "gate_closed", "space_open", "tier_open"]);
    assert_eq!(format!("{:>11}|", RouteReason::TierOpen), "  tier_open|");
}

fn update(space_id: &str) -> ProfileUpdate {
    build::entry()
        .space_id(space_id)
        .external_ids(["a", "b"].map(|id| build::id("email", id)))
        .build()
        .unwrap()
}

fn destinations() -> Destinations {
    build::destinations([&[][..], &["email"]])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn configurations_from_json_and_from_code_are_the_same(
        name in "\\PC{1,8}",
        share in 0_u16..=10_000,
        tiers in btree_set("[a-c]{1,2}", 0..3),
        open in btree_set("spa_[1-4]", 0..3),
        blocked in btree_set("spa_[1-4]", 0..3),
        compare: bool,
        asked in ("spa_[1-4]", prop::option::of("[a-c]")),
    ) {
        let mut gate = Gate::closed();
        for tier in &tiers {
            gate = gate.opened_for_tier(tier).unwrap();
        }
        for space in &open {
            gate = gate.opened_for_space(space).unwrap();
        }
        for space in &blocked {
            gate = gate.blocked_for_space(space).unwrap();
        }
        let comparing = if compare { Comparing::On } else { Comparing::Off };
        let flag = Flag::new(&name, basis_points(share)).unwrap();
        let from_code = Rollout::new(flag.clone()).with_gate(gate).with_comparing(comparing);
        let json = json!({
            "flag": {"name": name, "share_basis_points": share},
            "gate": {"tiers": tiers, "spaces": open, "blocked_spaces": blocked},
            "compare": compare,
        });
        let from_json: Rollout = serde_json::from_str(&json.to_string()).unwrap();
        prop_assert_eq!(&from_code, &from_json);
        prop_assert_eq!(serde_json::to_value(&from_code).unwrap(), json);

        let (space, tier) = asked;
        let reason = from_code.route(&space, tier.as_deref()).reason();
        let expected = if !flag.admits(&space) {
            RouteReason::NotAdmitted
        } else if blocked.contains(&space) {
            RouteReason::SpaceBlocked
        } else if open.contains(&space) {
            RouteReason::SpaceOpen
        } else if tier.is_some_and(|tier| tiers.contains(&tier)) {
            RouteReason::TierOpen
        } else {
            RouteReason::GateClosed
        };
        prop_assert_eq!(reason, expected);
    }
}

#[test]
fn the_gate_its_lists_and_the_comparison_may_be_left_out_or_null() {
    let shortest = Rollout::new(flag(1));
    for rest in [
        "",
        r#","gate":null,"compare":null"#,
        r#","gate":{}"#,
        r#","gate":{"tiers":null,"spaces":null,"blocked_spaces":null},"compare":false"#,
        r#","gate":{"tiers":[],"spaces":[],"blocked_spaces":[]}"#,
    ] {
        let json = format!(r#"{{"flag":{{"name":"dedupe","share_basis_points":1}}{rest}}}"#);
        assert_eq!(serde_json::from_str::<Rollout>(&json).unwrap(), shortest, "{json}");
    }
}

#[track_caller]
fn assert_refused(rollout: &Value, error: &str) {
    assert_text_refused(&rollout.to_string(), error);
}

#[track_caller]
fn assert_text_refused(rollout: &str, error: &str) {
    let refused = serde_json::from_str::<Rollout>(rollout).expect_err("accepted");
    let text = refused.to_string();
    let (text, _) = text.split_once(" at line ").unwrap_or((&text, ""));
    assert_eq!(text, error, "{rollout}");
}

#[test]
fn a_share_is_a_whole_number_of_basis_points() {
    let with_share = |share: &str| format!(r#"{{"flag":{{"name":"dedupe","share_basis_points":{share}}}}}"#);
    for (share, error) in [
        ("10001", "`flag.share_basis_points` is 10001, expected 0 to 10000"),
        ("65536", "`flag.share_basis_points` is 65536, expected 0 to 10000"),
        ("-1", "`flag.share_basis_points` is -1, expected 0 to 10000"),
        ("18446744073709551615", "`flag.share_basis_points` is 18446744073709551615, expected 0 to 10000"),
        ("0.25", "`flag.share_basis_points` must be a whole number, not a floating-point number"),
        ("2500.0", "`flag.share_basis_points` must be a whole number, not a floating-point number"),
        ("1e3", "`flag.share_basis_points` must be a whole number, not a floating-point number"),
        (r#""2500""#, "`flag.share_basis_points` must be a whole number, not a string"),
        ("true", "`flag.share_basis_points` must be a whole number, not a boolean"),
        ("[1]", "`flag.share_basis_points` must be a whole number, not an array"),
        ("{}", "`flag.share_basis_points` must be a whole number, not an object"),
        ("null", "`flag.share_basis_points` is missing"),
    ] {
        assert_text_refused(&with_share(share), error);
    }
    for share in [0, 1, 9_999, 10_000] {
        let rollout: Rollout = serde_json::from_str(&with_share(&share.to_string())).unwrap();
        assert_eq!(rollout, Rollout::new(flag(share)));
    }
}

#[test]
fn names_are_not_empty() {
    let flag = json!({"name": "dedupe", "share_basis_points": 1});
    assert_refused(&json!({"flag": {"name": "", "share_basis_points": 1}}), "`flag.name` is empty");
    assert_refused(&json!({"flag": flag, "gate": {"tiers": ["beta", ""]}}), "`gate.tiers[1]` is empty");
    assert_refused(&json!({"flag": flag, "gate": {"spaces": [""]}}), "`gate.spaces[0]` is empty");
    assert_refused(
        &json!({"flag": flag, "gate": {"blocked_spaces": ["spa_1", "spa_2", ""]}}),
        "`gate.blocked_spaces[2]` is empty",
    );
}

#[test]
fn constructors_refuse_the_same() {
    assert_eq!(Flag::new("", basis_points(1)).unwrap_err().to_string(), "`name` is empty");
    assert_eq!(
        Share::from_basis_points(10_001).unwrap_err().to_string(),
        "`share_basis_points` is 10001, expected 0 to 10000"
    );
    assert_eq!(
        Share::from_basis_points(u16::MAX).unwrap_err().to_string(),
        "`share_basis_points` is 65535, expected 0 to 10000"
    );
    assert_eq!(Gate::closed().opened_for_tier("").unwrap_err().to_string(), "`tiers` is empty");
    assert_eq!(Gate::closed().opened_for_space("").unwrap_err().to_string(), "`spaces` is empty");
    assert_eq!(Gate::closed().blocked_for_space("").unwrap_err().to_string(), "`blocked_spaces` is empty");
}

#[test]
fn unknown_fields_are_refused() {
    let flag = json!({"name": "dedupe", "share_basis_points": 1});
    assert_refused(
        &json!({"flag": flag, "comparing": true}),
        "`comparing` is not a known field, expected `flag`, `gate` or `compare`",
    );
    assert_refused(
        &json!({"flag": {"name": "dedupe", "share_basis_points": 1, "percent": 1}}),
        "`flag.percent` is not a known field, expected `name` or `share_basis_points`",
    );
    assert_refused(
        &json!({"flag": flag, "gate": {"blocked": ["spa_1"]}}),
        "`gate.blocked` is not a known field, expected `tiers`, `spaces` or `blocked_spaces`",
    );
}

#[test]
fn values_of_another_type_are_refused() {
    let flag = json!({"name": "dedupe", "share_basis_points": 1});
    for (rollout, error) in [
        (json!([]), "the input must be an object, not an array"),
        (json!(null), "the input must be an object, not null"),
        (json!({}), "`flag` is missing"),
        (json!({"flag": null}), "`flag` is missing"),
        (json!({"flag": "dedupe"}), "`flag` must be an object, not a string"),
        (json!({"flag": {"share_basis_points": 1}}), "`flag.name` is missing"),
        (json!({"flag": {"name": "dedupe"}}), "`flag.share_basis_points` is missing"),
        (json!({"flag": {"name": 1, "share_basis_points": 1}}), "`flag.name` must be a string, not a number"),
        (json!({"flag": flag, "gate": []}), "`gate` must be an object, not an array"),
        (json!({"flag": flag, "gate": true}), "`gate` must be an object, not a boolean"),
        (json!({"flag": flag, "gate": {"tiers": "beta"}}), "`gate.tiers` must be an array, not a string"),
        (json!({"flag": flag, "gate": {"spaces": [1]}}), "`gate.spaces[0]` must be a string, not a number"),
        (json!({"flag": flag, "gate": {"spaces": [null]}}), "`gate.spaces[0]` must be a string, not null"),
        (json!({"flag": flag, "compare": "on"}), "`compare` must be a boolean, not a string"),
        (json!({"flag": flag, "compare": 1}), "`compare` must be a boolean, not a number"),
    ] {
        assert_refused(&rollout, error);
    }
}

/// Two values for one field could mean either: a shutoff that is overwritten shuts nothing off.
#[test]
fn a_field_that_is_given_twice_is_refused() {
    assert_text_refused(
        r#"{"flag":{"name":"dedupe","share_basis_points":0,"share_basis_points":10000}}"#,
        "duplicate field `share_basis_points`",
    );
    assert_text_refused(
        r#"{"flag":{"name":"dedupe","share_basis_points":1},"compare":false,"compare":true}"#,
        "duplicate field `compare`",
    );
}

#[test]
fn a_flag_and_a_gate_are_configurations_of_their_own() {
    let flag: Flag = serde_json::from_str(r#"{"name":"dedupe","share_basis_points":2500}"#).unwrap();
    assert_eq!((flag.name(), flag.share()), ("dedupe", basis_points(2_500)));
    assert_eq!(serde_json::to_string(&flag).unwrap(), r#"{"name":"dedupe","share_basis_points":2500}"#);
    let gate: Gate = serde_json::from_str(r#"{"tiers":["b","a","b"]}"#).unwrap();
    assert_eq!(
        serde_json::to_string(&gate).unwrap(),
        r#"{"tiers":["a","b"],"spaces":[],"blocked_spaces":[]}"#
    );
    let error = serde_json::from_str::<Flag>(r#"{"name":"dedupe","share_basis_points":10001}"#).unwrap_err();
    assert!(error.to_string().starts_with("`share_basis_points` is 10001, expected 0 to 10000"), "{error}");
}

#[test]
fn a_rollout_shows_its_flag() {
    let rollout = Rollout::new(Flag::new("dedupe", basis_points(2_500)).unwrap());
    assert_eq!((rollout.flag().name(), rollout.flag().share()), ("dedupe", basis_points(2_500)));
}
