//! How many bytes a message has on its way to a topic, and how many it may have.

/// `RD_KAFKAP_MESSAGE_V2_MAX_OVERHEAD` of librdkafka: what its producer takes for all that a message has beside key,
/// value and headers.
const AROUND_MESSAGE: usize = 36;
/// The header of a batch: Kafka's protocol, "Record Batch".
const AROUND_BATCH: usize = 61;
/// A record's attributes, and the differences to the time and the offset of a batch in which it is alone.
const AROUND_RECORD: usize = 3;

/// What a message may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// By the client's `message.max.bytes`.
    pub message: usize,
    /// In a batch of its own, by the topics' `max.message.bytes`.
    pub batch: usize,
}

/// Of key and headers.
#[derive(Debug, Clone, Copy)]
pub struct Envelope {
    key: usize,
    headers: usize,
    header_count: usize,
}

impl Envelope {
    /// With a key of so many bytes, and headers whose names and values have so many.
    pub fn new(key: usize, headers: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let none = Self { key, headers: 0, header_count: 0 };
        headers.into_iter().fold(none, |all, (name, value)| Self {
            headers: all.headers + with_length(name) + with_length(value),
            header_count: all.header_count + 1,
            ..all
        })
    }

    /// Whether a value of so many bytes may go with these, not compressed.
    pub fn fits(self, value: usize, limits: Limits) -> bool {
        self.in_client(value) <= limits.message && self.in_batch(value) <= limits.batch
    }

    fn in_client(self, value: usize) -> usize {
        AROUND_MESSAGE + self.key + value + self.headers
    }

    fn in_batch(self, value: usize) -> usize {
        let headers = length_of_number(self.header_count) + self.headers;
        AROUND_BATCH + with_length(AROUND_RECORD + with_length(self.key) + with_length(value) + headers)
    }
}

fn with_length(bytes: usize) -> usize {
    length_of_number(bytes) + bytes
}

/// Seven bits a byte, of which the first is the sign.
fn length_of_number(number: usize) -> usize {
    let bits = usize::BITS + 1 - number.leading_zeros();
    bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_long_as_in_kafka_s_protocol() {
        let lengths = [0, 63, 64, 8_191, 8_192, 1_048_575, 1_048_576].map(length_of_number);
        assert_eq!(lengths, [1, 1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn both_limits_are_met_to_the_byte() {
        let envelope = Envelope::new(100, [(10, 32), (8, 70)]);
        let roomy = Limits { message: usize::MAX, batch: usize::MAX };
        let (message, batch) = (36 + 100 + 5 + 11 + 33 + 9 + 72, 61 + 2 + 3 + 102 + 6 + 1 + 125);
        assert!(
            envelope.fits(5, Limits { message, ..roomy }) && !envelope.fits(6, Limits { message, ..roomy })
        );
        assert!(envelope.fits(5, Limits { batch, ..roomy }) && !envelope.fits(6, Limits { batch, ..roomy }));
    }
}
