//! Opaque cursors: where a list goes on, signed so that nobody makes one up, and bound to one list.

use platform::crypto::{b64url, constant_time_eq, from_b64url, hmac_sha256};
use platform::{ErrorKind, Fault};

const MAC: usize = 16;
/// Longest cursor accepted, in characters.
const LONGEST: usize = 512;

/// Makes and reads cursors with one key.
#[derive(Clone)]
pub struct Cursors([u8; 32]);

impl Cursors {
    /// Cursors signed with `key`.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The cursor for going on after `position` in `list`. `list` names the operation, its filters and, for
    /// personal lists, the caller.
    #[must_use]
    pub fn make(&self, list: &str, position: &str) -> String {
        let mut bytes = self.mac(list, position);
        bytes.extend_from_slice(position.as_bytes());
        b64url(&bytes)
    }

    /// The position behind a cursor of `list`.
    ///
    /// # Errors
    /// When it was changed, is of another list, or was never one of ours.
    pub fn read(&self, list: &str, cursor: &str) -> Result<String, Fault> {
        let wrong = || Fault::new(ErrorKind::CursorInvalid).at("cursor");
        if cursor.len() > LONGEST {
            return Err(wrong());
        }
        let bytes = from_b64url(cursor).ok_or_else(wrong)?;
        let (mac, position) = bytes.split_at_checked(MAC).ok_or_else(wrong)?;
        let position = std::str::from_utf8(position).map_err(|_| wrong())?;
        if !constant_time_eq(mac, &self.mac(list, position)) {
            return Err(wrong());
        }
        Ok(position.to_owned())
    }

    fn mac(&self, list: &str, position: &str) -> Vec<u8> {
        let text = format!("{}:{list}:{position}", list.len());
        hmac_sha256(&self.0, text.as_bytes())[..MAC].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_for_its_own_list_only_and_unchanged_only() {
        let cursors = Cursors::new([7; 32]);
        let cursor = cursors.make("providers?query=a", "RTH");
        assert_eq!(cursors.read("providers?query=a", &cursor).unwrap(), "RTH");
        assert!(cursors.read("providers?query=b", &cursor).is_err());
        assert!(Cursors::new([8; 32]).read("providers?query=a", &cursor).is_err());
        for wrong in ["", "AAAA", "!!", &cursor[1..], &format!("{cursor}A"), &"A".repeat(600)] {
            assert!(cursors.read("providers?query=a", wrong).is_err(), "{wrong}");
        }
    }
}
