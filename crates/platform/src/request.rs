//! How one request is named, in its answer, in the logs and on the telephone.

use uuid::Uuid;

use crate::crypto;

/// The letters and digits of a support reference: none that is mistaken for another when read aloud or
/// copied by hand.
const ALPHABET: &[u8; 24] = b"346789ACEFGHJKMNPQRTWXYZ";

/// The names of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestIds {
    /// `X-Request-ID`: the caller's where it sent a UUID, else ours.
    pub request_id: Uuid,
    /// `X-Correlation-ID`, as the caller sent it.
    pub correlation_id: Option<String>,
}

impl RequestIds {
    /// What a person can read out to the help desk: two letters for the area of the fault and six characters
    /// that follow from the request id, so that the log line can be found from it.
    #[must_use]
    pub fn support_reference(&self, area: &str) -> String {
        let hash = crypto::sha256(self.request_id.as_bytes());
        let tail: String =
            hash[..6].iter().map(|byte| ALPHABET[usize::from(*byte) % ALPHABET.len()] as char).collect();
        format!("{area}-{tail}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_follows_from_the_request_and_uses_the_alphabet_only() {
        let ids = |id| RequestIds { request_id: Uuid::from_u128(id), correlation_id: None };
        assert_eq!(ids(1).support_reference("SI"), ids(1).support_reference("SI"));
        assert_ne!(ids(1).support_reference("SI"), ids(2).support_reference("SI"));
        let reference = ids(3).support_reference("SI");
        let tail = reference.strip_prefix("SI-").unwrap();
        assert_eq!(tail.len(), 6);
        assert!(tail.bytes().all(|byte| ALPHABET.contains(&byte)));
    }
}
