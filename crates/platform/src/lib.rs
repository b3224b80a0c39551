//! What every room of the house needs to run: settings, database, cache, clock, randomness, keys and the
//! table of error kinds.
//!
//! Nothing here knows a patient, a session or a route. The ambient clock, the ambient random source and
//! HTTP clients are reached through this crate only; everywhere else `clippy.toml` refuses them.

pub mod cache;
pub mod clock;
pub mod crypto;
pub mod db;
pub mod error;
pub mod idempotency;
pub mod keys;
pub mod outgoing;
pub mod random;
pub mod request;
pub mod settings;
#[cfg(feature = "testing")]
pub mod testing;

pub use clock::{Clock, ManualClock, SharedClock, SystemClock, london_date};
pub use db::Db;
pub use error::{ErrorKind, Fault};
pub use random::{OsRandom, Random, SeededRandom, SharedRandom};
pub use request::RequestIds;
