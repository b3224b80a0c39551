//! Scratch: removed before hand-over.
#[path = "suite/access.rs"]
mod access;
#[path = "suite/concerns.rs"]
mod concerns;
#[path = "suite/faults.rs"]
mod faults;
#[path = "suite/leaks.rs"]
mod leaks;
#[path = "suite/log_chain.rs"]
mod log_chain;
#[path = "suite/manners.rs"]
mod manners;
#[path = "suite/openapi.rs"]
mod openapi;
#[path = "suite/process.rs"]
mod process;
#[path = "suite/production.rs"]
mod production;
#[path = "suite/waits.rs"]
mod waits;
