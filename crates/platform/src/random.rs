//! The one place that draws random bytes.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::crypto;

/// A source of random bytes.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes` with unpredictable values.
    fn fill(&self, bytes: &mut [u8]);
}

/// A random source shared by everything that runs in one process.
pub type SharedRandom = Arc<dyn Random>;

impl dyn Random {
    /// A secret of 256 bits as 43 base64url characters: session ids, states, nonces, codes.
    #[must_use]
    pub fn token(&self) -> String {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        crypto::b64url(&bytes)
    }

    /// A random identifier (UUID version 4) that tells nothing about when it was made.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// An identifier that sorts by the time it was made (UUID version 7). For internal keys only: it shows
    /// its time of creation to whoever reads it.
    #[must_use]
    pub fn time_ordered_uuid(&self, now: DateTime<Utc>) -> Uuid {
        let mut bytes = [0; 10];
        self.fill(&mut bytes);
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place where the ambient random source is read")]
    #[expect(
        clippy::expect_used,
        reason = "without randomness no secret can be made: stopping is the only safe answer"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the operating system has no randomness to give");
    }
}

/// Bytes that follow from a seed: SHA-256 over the seed and a counter. For seeding the sandbox and for
/// tests; never for secrets.
#[derive(Debug)]
pub struct SeededRandom {
    seed: u64,
    drawn: Mutex<u64>,
}

impl SeededRandom {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: Mutex::new(0) }
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(32) {
            let mut input = [0; 16];
            input[..8].copy_from_slice(&self.seed.to_be_bytes());
            input[8..].copy_from_slice(&drawn.to_be_bytes());
            *drawn += 1;
            chunk.copy_from_slice(&crypto::sha256(&input)[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_sequence_and_another_seed_another() {
        let draw = |seed| {
            let random: SharedRandom = Arc::new(SeededRandom::new(seed));
            (random.token(), random.uuid())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn tokens_hold_256_bits_and_do_not_repeat() {
        let random: SharedRandom = Arc::new(OsRandom);
        let (one, two) = (random.token(), random.token());
        assert_eq!(one.len(), 43);
        assert_ne!(one, two);
    }
}
