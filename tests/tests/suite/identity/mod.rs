//! Signing in and sessions. Modules hold the acceptance cases by theme; each test is named after its case.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up must stop")]

mod assurance;
mod callback;
mod concurrent;
mod cross_site;
mod forged;
mod lifetime;
mod persons;
mod provider_faults;
mod refusal;
mod return_to;
mod sign_in;
mod store;
mod world;
