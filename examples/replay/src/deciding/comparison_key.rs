//! The secret of a run's comparisons.

use std::hash::{BuildHasher, RandomState};

use idgroup::compare::ComparisonKey;

/// Another one for each run, because customers control the values that are compared.
///
/// The standard library's hashers are keyed with the operating system's randomness: enough for one
/// run of a tool. A service takes its 16 bytes from there itself, with a crate such as `getrandom`.
pub fn random_comparison_key() -> ComparisonKey {
    let random = RandomState::new();
    let halves = [random.hash_one(0), random.hash_one(1)].map(u64::to_le_bytes);
    let mut key = [0; 16];
    key.copy_from_slice(halves.as_flattened());
    ComparisonKey::new(key)
}
