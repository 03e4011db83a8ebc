//! What can be compared: anything that says, injectively, what it is.

use core::fmt;
use core::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

/// A message of a flow, to be compared with those of another.
///
/// Implement it for your own worker's messages to compare them with anybody's. Two messages are the
/// same if they [`encode`](Self::encode) the same parts in the same order.
///
/// ```
/// use idgroup::compare::{Encoder, Message};
///
/// struct Mail<'a> {
///     to: &'a str,
///     campaign: &'a str,
/// }
///
/// impl Message for Mail<'_> {
///     type Sample = String;
///
///     fn encode(&self, encoder: &mut Encoder) {
///         encoder.part(self.to).part(self.campaign);
///     }
///
///     fn sample(&self, most_bytes: usize) -> String {
///         self.to.chars().take(most_bytes / 4).collect()
///     }
/// }
/// ```
pub trait Message {
    /// What is kept of a differing message to name it.
    type Sample;

    /// Hands over all that makes this message what it is. Where the number of parts varies, say
    /// first how many there are, with [`Encoder::number`].
    ///
    /// Called for each message of each pass: what it costs in bytes, a comparison costs that often.
    /// Where long parts are in many messages, hand over a hash of each that was made once.
    fn encode(&self, encoder: &mut Encoder);

    /// What to keep of this message, in at most about `most_bytes` bytes.
    fn sample(&self, most_bytes: usize) -> Self::Sample;
}

impl<M: Message + ?Sized> Message for &M {
    type Sample = M::Sample;

    fn encode(&self, encoder: &mut Encoder) {
        (**self).encode(encoder);
    }

    fn sample(&self, most_bytes: usize) -> Self::Sample {
        (**self).sample(most_bytes)
    }
}

/// The secret key of a comparison.
///
/// Make it from 16 random bytes when the service starts, and keep it from those who control what is
/// in the messages: see [how sure "identical" is](crate::compare#how-sure-identical-is). It is not shown by
/// `Debug`, and comparisons with different keys can't be told apart by their results.
#[derive(Clone)]
pub struct ComparisonKey([u8; 16]);

impl ComparisonKey {
    /// A key of these bytes, which must come from a good source of randomness.
    pub const fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    pub(super) fn hash(&self, message: &impl Message) -> u128 {
        self.hash_encoded(|encoder| message.encode(encoder))
    }

    /// For hashing what is in an array already, without an [`Encoder`].
    pub(super) fn hasher(&self) -> SipHasher24 {
        SipHasher24::new_with_key(&self.0)
    }

    pub(super) fn hash_encoded(&self, encode: impl FnOnce(&mut Encoder)) -> u128 {
        let mut encoder = Encoder { hasher: self.hasher(), buffer: [0; BUFFER_BYTES], filled: 0 };
        encode(&mut encoder);
        encoder.finish()
    }
}

impl fmt::Debug for ComparisonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComparisonKey").finish_non_exhaustive()
    }
}

/// Takes the parts of a message, each with its length, so that ("x0", "y") is not ("x", "0y").
pub struct Encoder {
    hasher: SipHasher24,
    /// Small parts are gathered here: the hasher takes many small writes at several times the cost
    /// of one large one.
    buffer: [u8; BUFFER_BYTES],
    filled: usize,
}

/// More than the outbound messages of most profiles have.
const BUFFER_BYTES: usize = 256;

impl Encoder {
    /// A part of the message: its length, as eight bytes, and its bytes.
    pub fn part(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        self.number(bytes.len() as u64);
        self.write(bytes);
        self
    }

    /// A number, such as how many parts follow: eight bytes, without a length.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.write(&number.to_le_bytes());
        self
    }

    fn write(&mut self, bytes: &[u8]) {
        let end = self.filled.saturating_add(bytes.len());
        if let Some(free) = self.buffer.get_mut(self.filled..end) {
            free.copy_from_slice(bytes);
            self.filled = end;
        } else {
            self.flush();
            self.hasher.write(bytes);
        }
    }

    fn flush(&mut self) {
        self.hasher.write(self.buffer.get(..self.filled).unwrap_or_default());
        self.filled = 0;
    }

    fn finish(mut self) -> u128 {
        self.flush();
        self.hasher.finish128().as_u128()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}
