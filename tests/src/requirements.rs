//! What a test needs from its machine, and what happens where it is missing: a line that says so, or, where
//! `FRONT_DOOR_TEST_REQUIRE_ALL` is set as CI does, a failure.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Whether everything must be there.
#[must_use]
pub fn require_all() -> bool {
    std::env::var_os("FRONT_DOOR_TEST_REQUIRE_ALL").is_some_and(|value| value == "1")
}

fn missing(what: &str) {
    assert!(!require_all(), "{what}");
    println!("skipped: {what}");
}

/// Where the published files and other people's test vectors are.
#[must_use]
pub fn conformance_data() -> Option<PathBuf> {
    let found = std::env::var_os("FRONT_DOOR_CONFORMANCE_DATA").map(PathBuf::from);
    match found {
        None => missing("FRONT_DOOR_CONFORMANCE_DATA is not set"),
        Some(ref path) => assert!(path.is_dir(), "FRONT_DOOR_CONFORMANCE_DATA names no directory"),
    }
    found
}

/// A command that runs one of the scripts in `tests/node`, with its packages installed.
#[must_use]
pub fn node_script(name: &str) -> Option<Command> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("node");
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !node.is_ok_and(|status| status.success()) {
        missing("Node is not on the PATH");
        return None;
    }
    if !folder.join("node_modules").is_dir() {
        missing("the packages of tests/node are not installed (npm ci in tests/node)");
        return None;
    }
    let mut command = Command::new("node");
    command.arg(folder.join(name)).current_dir(folder);
    Some(command)
}
