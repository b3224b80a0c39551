//! What every black-box test needs: a server of its own, a browser, and the other side of a sign-in.
//!
//! The same tests run on both forms. Without further settings each server gets an SQLite file and the
//! in-process cache; with `FRONT_DOOR_TEST_DATABASE_URL` (a PostgreSQL server where databases may be made) and
//! `FRONT_DOOR_TEST_CACHE_URL` each gets a database and a key prefix of its own there.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot be set up must stop, and one that is skipped must say so"
)]

mod browser;
mod process;
mod requirements;
mod server;

pub use browser::{Browser, Reply, form_with, hidden_field};
pub use process::{Line, Process};
pub use requirements::{conformance_data, node_script, require_all};
pub use server::{Form, Options, Server, Store, empty_store, form, fresh_store};
