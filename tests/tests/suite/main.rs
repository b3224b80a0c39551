//! Black-box tests: everything goes over HTTP to a real server, or through the shipped binary.

mod access;
mod concerns;
mod faults;
mod identity;
mod leaks;
mod log_chain;
mod manners;
mod openapi;
mod process;
mod production;
mod waits;
