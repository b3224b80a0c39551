//! Whose record it is, who may open it, and the trail that proves it.
//!
//! A record is read through a [`RecordAccess`]: a value that only [`Records::open`] can make, after the
//! policy ([`policy::decide`]) said yes **and** the entry stands committed in the [`AccessLog`]. A domain
//! service takes `&RecordAccess<C>`, so code that skipped the decision or the log does not compile:
//!
//! ```compile_fail
//! use record_access::{category, PatientId, RecordAccess};
//! fn forge(patient: PatientId) -> RecordAccess<category::WaitingTimes> {
//!     RecordAccess { patient, version: 1 } // private, and there is no other constructor
//! }
//! ```
//!
//! Words: the *actor* is the account that acts; the *subject* is the patient whose record it is; the
//! *authority* says why the one may open the other's record; the *client* is the app it happens through.

pub mod access_log;
pub mod concerns;
mod nhs_number;
pub mod patients;
pub mod policy;
mod principal;
mod store;
#[cfg(test)]
mod testing;

pub use access_log::{AccessLog, AccessLogUnavailable, Entry, Outcome};
pub use nhs_number::{NhsNumber, NhsNumberError};
pub use patients::{PatientId, Patients, RecordVersion};
pub use policy::{AccessContext, AccessRefused, Category, RecordAccess, RecordCategory, Records, category};
pub use principal::{AccountId, Assurance, ClientId, Delegation, Principal, Scope, Scopes};
