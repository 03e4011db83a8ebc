//! Invariants: named where they are made, and asserted in debug builds where they are relied on.

/// What is at a position that `invariant` says is there.
#[inline]
pub(crate) fn at<'s, T>(slice: &'s [T], position: usize, invariant: &str) -> Option<&'s T> {
    debug_assert!(position < slice.len(), "{invariant}: {position} of {}", slice.len());
    slice.get(position)
}
