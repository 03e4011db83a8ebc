//! Shadow comparison: whether two flows send the same messages, in memory that does not grow with
//! their number.
//!
//! Of each flow it keeps the number of its messages and the sum, modulo 2^128, of a keyed
//! pseudo-random function of each message. Two flows are identical if and only if both agree. The
//! order of the messages plays no part, and a message that is sent twice counts twice.
//!
//! # How sure "identical" is
//!
//! If the multisets differ and the counts agree, the sums agree with a probability of at most
//! *m* / 2^128, where *m* is the largest power of two that is not above the number of messages per
//! flow: a difference of *c* copies of a message vanishes if *c* times its random value is 0, for
//! which *c*'s factors of two are what helps. That is 2^-111 for 150,000 messages. It rests on
//!
//! - the function being pseudo-random: SipHash-2-4 with 128 bits of output, after
//!   [Aumasson and Bernstein, 2012](https://cr.yp.to/siphash/siphash-20120918.pdf);
//! - the key being random, and unknown to those who control what is in the messages. Customers
//!   control the values of their external IDs; whoever knows the function, key included, can find
//!   values with equal sums in milliseconds, by lattice reduction;
//! - the encoding of messages being injective, which [`Encoder`] sees to: each part carries its length.
//!
//! A sum, because XOR would cancel pairs: {A, A} would equal {B, B}.
//!
//! # How the difference is found
//!
//! Both flows are fed in step, and a map holds the net number of copies of each message that one
//! flow has sent and the other has not yet: nearly nothing, if the flows agree. Where the map would
//! outgrow its budget, the messages with the highest hashes are left for a later pass, which feeds
//! both flows again; so that each pass finds the exact difference in a slice of the hash space,
//! in the same memory. A last look at each slice counts the copies and takes samples.

mod budget;
mod comparator;
mod comparison;
mod message;
mod shadow;

pub use budget::ComparisonBudget;
pub use comparator::{Comparator, NextStep, compare_streams};
pub use comparison::{Comparison, Copies, Difference, Extent, Sample};
pub use message::{ComparisonKey, Encoder, Message};
pub use shadow::{OutboundSample, compare, compare_events, compare_with};
