//! What production refuses, said by the binary itself, and what its build leaves out.

use std::path::Path;
use std::process::{Command, Output};

use crate::process::{binary, run, text};

/// Settings that production accepts as far as the file goes, with key files made by the binary.
struct Deployment {
    folder: tempfile::TempDir,
}

impl Deployment {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let deployment = Self { folder };
        let made = run(&mut binary(&["keys", "create", &deployment.path("ring.json")]));
        assert!(made.status.success(), "{}", text(&made.stderr));
        let key = platform::keys::RsaKey::load_or_create(Path::new(&deployment.path("client.pem")), "");
        key.expect("a client key");
        deployment
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Starts the service with all that production asks for, changed by `changes`.
    fn start(&self, changes: &[(&str, &str)]) -> Output {
        let settings = format!(
            "profile = \"production\"\n\
             [http]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://front-door.example\"\n\
             [metrics]\nlisten = \"127.0.0.1:0\"\n\
             [database]\nurl = \"postgres://app@127.0.0.1:1/front\"\n\
             [cache]\nurl = \"redis://127.0.0.1:1\"\n\
             [keys]\nfile = {:?}\n\
             [identity]\nissuer = \"https://auth.login.nhs.uk\"\nclient_key_file = {:?}\n",
            self.path("ring.json"),
            self.path("client.pem"),
        );
        let file = self.folder.path().join("front-door.toml");
        std::fs::write(&file, settings).expect("a settings file");
        let mut command = binary(&["--config", &file.display().to_string(), "serve"]);
        command.args(["--data-dir", &self.path("data")]);
        command.envs(changes.iter().copied());
        run(&mut command)
    }
}

/// The names of what was refused.
fn refused(output: &Output) -> Vec<String> {
    let complained = text(&output.stderr);
    let listed = complained.lines().skip_while(|line| !line.contains("a production start is refused"));
    listed.skip(1).filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn each_thing_meant_for_the_sandbox_is_refused_by_name() {
    let deployment = Deployment::new();
    let sandbox_keys = deployment.path("sandbox-keys");
    let seeded = binary(&["migrate", "--data-dir", &sandbox_keys]).output().unwrap();
    assert!(seeded.status.success(), "{}", text(&seeded.stderr));
    let sandbox_ring = format!("{sandbox_keys}/keys/record-keys.json");
    let sandbox_pem = deployment.path("sandbox.pem");
    platform::keys::RsaKey::load_or_create(Path::new(&sandbox_pem), platform::keys::SANDBOX_MARK).unwrap();
    let short = deployment.path("short.json");
    std::fs::write(&short, r#"{"active":"a","generations":{"a":"c2hvcnQ="},"signing":"c2hvcnQ="}"#).unwrap();
    let missing = deployment.path("missing.json");

    let cases: [(&str, &str, &[&str]); 15] = [
        ("IDENTITY__ISSUER", "", &["simulator_issuer"]),
        ("IDENTITY__ISSUER", "https://elsewhere.example", &["untrusted_issuer"]),
        ("IDENTITY__ISSUER", "http://auth.login.nhs.uk", &["plain_http_issuer", "untrusted_issuer"]),
        ("HTTP__PUBLIC_URL", "http://front-door.example", &["plain_http_public_url"]),
        ("HTTP__PUBLIC_URL", "", &["plain_http_public_url"]),
        ("DATABASE__URL", "", &["sqlite_database"]),
        ("CACHE__URL", "", &["missing_redis"]),
        ("SESSIONS__SECURE_COOKIES", "false", &["cookies_without_secure"]),
        ("SESSIONS__ABSOLUTE_HOURS", "13", &["sessions_too_long"]),
        ("KEYS__FILE", "", &["example_key"]),
        ("KEYS__FILE", &sandbox_ring, &["example_key"]),
        ("KEYS__FILE", &short, &["short_secret"]),
        ("KEYS__FILE", &missing, &["unreadable_key"]),
        ("IDENTITY__CLIENT_KEY_FILE", "", &["example_key"]),
        ("IDENTITY__CLIENT_KEY_FILE", &sandbox_pem, &["example_key"]),
    ];
    for (name, value, expected) in cases {
        let output = deployment.start(&[(&format!("FRONT_DOOR__{name}"), value)]);
        let complained = text(&output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty(), "{name}={value}: {complained}");
        assert_eq!(refused(&output), expected, "{name}={value}: {complained}");
    }
    assert!(!Path::new(&deployment.path("data")).exists(), "a start that is refused leaves nothing behind");
}

#[test]
fn everything_is_said_at_once() {
    let output = binary(&["serve"]).env("FRONT_DOOR__PROFILE", "production").output().unwrap();
    assert!(!output.status.success());
    let expected = [
        "simulator_issuer",
        "plain_http_public_url",
        "sqlite_database",
        "missing_redis",
        "example_key",
        "example_key",
    ];
    assert_eq!(refused(&output), expected, "{}", text(&output.stderr));
}

#[test]
fn what_production_accepts_goes_on_to_the_database() {
    let output = Deployment::new().start(&[]);
    let complained = text(&output.stderr);
    assert!(!output.status.success(), "there is no database at that address");
    assert_eq!(refused(&output), Vec::<String>::new());
    assert!(complained.contains("front-door: the database"), "{complained}");
}

/// The crates the service is built from, with these features.
fn dependencies(features: &[&str]) -> Vec<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--locked", "--offline", "--manifest-path"]).arg(manifest);
    command.args(["-p", "api", "-e", "normal", "--prefix", "none"]).args(features);
    let output = run(&mut command);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let tree = text(&output.stdout);
    tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn a_production_build_holds_nothing_of_the_sandbox() {
    let has = |crates: &[String], name: &str| crates.iter().any(|found| found == name);
    let production = dependencies(&["--no-default-features"]);
    assert!(has(&production, "identity") && has(&production, "waiting-times"), "{production:?}");
    assert!(!has(&production, "sandbox"));
    // Nor what only tests are built with.
    for name in ["tempfile", "proptest"] {
        assert!(!has(&production, name), "{name}");
    }
    assert!(has(&dependencies(&[]), "sandbox"), "and the build that everybody tries does");
}
