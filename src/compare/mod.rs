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
//! Outbound messages are encoded in two steps, so that one with a thousand IDs of a megabyte costs no
//! more than one with two short ones. Each ID is hashed by itself, and so is each event's list of
//! destinations; a message is encoded as the sum of those of its parts, modulo 2^128, and the pseudo-random
//! function of that is what is added up. That encoding is injective but for chance: the parts of a
//! message are a set, because it has one ID of each type, so two different messages differ in a part
//! that only one of them has, whose random hash makes their sums equal with a probability of 2^-128.
//! What differs vanishes in this way only if a message that differs, any one of them, has the sum of
//! another that does, of which there are at most 2*n* in two flows of *n*. So the bound above becomes
//! (*m* + 2*n*) / 2^128: 2^-109 for 150,000 messages, 2^-105 for the two million that the default budget
//! allows. What is hashed begins with what it is, so that no part is taken for a message. The sum of
//! the parts alone would not do: {a1, b2} has the same as {a2, b1}.
//!
//! A sum, because XOR would cancel pairs: {A, A} would equal {B, B}.
//!
//! # How the difference is found
//!
//! Both flows are fed in step, and a map holds the net number of copies of each message that one
//! flow has sent and the other has not yet: nearly nothing, if the flows agree. Where the map would
//! outgrow its budget, the messages with the highest hashes are left for a later pass, which feeds
//! both flows again; so that each pass finds the exact difference in a slice of the hash space,
//! in the same memory. A last look at each slice counts the copies and takes samples. What was counted
//! is taken out of both sums: once they agree without it, all that differs has been found.

mod budget;
mod combinations;
mod comparator;
mod comparison;
mod difference;
mod flow_messages;
mod message;
mod sample;
mod shadow;
mod streams;

pub use budget::ComparisonBudget;
pub use comparator::{Comparator, NextStep};
pub use comparison::{Comparison, ComparisonOutcome};
pub use difference::{Copies, Difference, DifferenceKind, Extent, Sample};
pub use message::{ComparisonKey, Encoder, Message};
pub use sample::OutboundSample;
pub use shadow::{compare, compare_events, compare_events_with, compare_with};
pub use streams::compare_streams;
