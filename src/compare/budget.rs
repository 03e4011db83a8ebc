//! What a comparison may cost.

/// The bounds of a comparison's memory and time.
///
/// With the [`default`](Self::default), a comparison's peak heap is below 512 KiB, and an identical
/// pair of flows is read once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComparisonBudget {
    pub(crate) differing_messages: usize,
    pub(crate) samples: usize,
    pub(crate) sample_bytes: usize,
    pub(crate) passes: u32,
    pub(crate) messages: u64,
}

impl Default for ComparisonBudget {
    /// 4,096 differing messages at a time, 16 samples of 1 KiB, 8 passes, and 2,000,000 messages in each
    /// flow.
    ///
    /// Memory is bounded without the last two, but time is not: with them, a comparison reads no more
    /// than 32 million messages, and that only if nearly all differ. That takes some seconds, and it
    /// can't be interrupted: allow fewer messages where that is too long.
    fn default() -> Self {
        Self { differing_messages: 4_096, samples: 16, sample_bytes: 1_024, passes: 8, messages: 2_000_000 }
    }
}

impl ComparisonBudget {
    /// How many messages may be held in memory, as hashes, because one flow has sent them and the
    /// other has not yet: at most 70 bytes each. At least 1.
    pub fn differing_messages(self, most: usize) -> Self {
        Self { differing_messages: most.max(1), ..self }
    }

    /// How many differing messages are kept as samples.
    pub fn samples(self, most: usize) -> Self {
        Self { samples: most, ..self }
    }

    /// How many bytes of content each sample may have. A larger message is cut.
    pub fn sample_bytes(self, most: usize) -> Self {
        Self { sample_bytes: most, ..self }
    }

    /// How many times both flows may be read. The first pass gives the verdict; the others find
    /// what differs, two for each slice of it. At least 1.
    pub fn passes(self, most: u32) -> Self {
        Self { passes: most.max(1), ..self }
    }

    /// Above how many messages, in either flow, a comparison is refused.
    pub fn messages(self, most: u64) -> Self {
        Self { messages: most, ..self }
    }
}
