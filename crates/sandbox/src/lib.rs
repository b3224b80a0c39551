//! Everything made up: the sign-in simulator, the people who can sign in to it, and the records they have.
//!
//! The simulator is an OpenID provider that behaves like the national one, faults included, so that the
//! whole service can be run and tried with no account anywhere. The people's records are filed through the
//! public doors of the domain crates, as a real hospital's would be; there is no back door into tables.
//!
//! No production build holds this crate, and production refuses a provider whose discovery document carries
//! the simulator's marker.

pub mod month;
pub mod people;
pub mod seed;
pub mod simulator;

pub use people::{MadeUpPerson, Persona, Proofing, made_up_people, people_lines};
pub use seed::{SeedError, Seeded, Services, seed};
pub use simulator::{RegisteredClient, Simulator, SimulatorConfig, SimulatorError};
