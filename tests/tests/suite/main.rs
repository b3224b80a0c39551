//! Black-box tests: everything goes over HTTP to a real server, or through the shipped binary.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot be set up must stop, and one that is skipped must say so"
)]

mod access;
mod concerns;
mod faults;
mod generations;
mod hostile;
mod identity;
mod leaks;
mod log_chain;
mod manners;
mod openapi;
mod pages;
mod process;
mod production;
mod traces;
mod waits;
