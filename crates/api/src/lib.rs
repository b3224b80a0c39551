//! The one API and the one binary of Front Door: command line, settings, routes, OpenAPI, health.
//!
//! Read in this order: [`cli`] is what a person types; [`app`] composes the rooms; [`server`] listens;
//! `http/` is what every request passes through, outermost first: [`http::edge`], [`http::guard`], then a
//! handler in `routes/`, which extracts, calls one service and shapes the answer.

pub mod app;
pub mod background;
pub mod cli;
pub mod http;
pub mod openapi;
pub mod production;
pub mod routes;
pub mod server;
pub mod telemetry;

/// Requests allocate in many small pieces; this allocator spends a good deal less on them than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub use app::{App, Launch, StartError};
pub use server::Running;
