//! The key ring: what seals personal fields, indexes them for look-up, and authenticates the access log,
//! session-bound tokens and cursors. [`RsaKey`] signs for us at the sign-in provider.
//!
//! Personal fields are sealed with AES-256-GCM. Each sealed value carries the id of the generation that
//! sealed it, so a ring may hold several while a rotation walks through the rows. Every use has its own
//! sub-key, derived with HKDF-SHA-256 (RFC 5869) from the generation's secret and the purpose's name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::crypto;
use crate::random::{Random, SharedRandom};

mod rsa_key;

pub use rsa_key::RsaKey;

/// The shortest secret a key file may hold, in bytes.
pub const SECRET_BYTES: usize = 32;

/// Marks key files that the sandbox made for itself; a production start refuses them.
pub const SANDBOX_MARK: &str = "made for the sandbox, never for production";

/// What can go wrong with keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file cannot be read or written.
    #[error("key file {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The key file is there but is not one of ours.
    #[error("key file {path}: {reason}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it; never holds key material.
        reason: String,
    },
    /// A value was sealed by a generation this ring does not hold.
    #[error("no key with id {0} in the key ring")]
    UnknownKey(String),
    /// A sealed value was changed, cut, or sealed for another purpose.
    #[error("a sealed value does not open")]
    DoesNotOpen,
    /// The cryptographic library refused.
    #[error("the cryptographic library refused: {0}")]
    Library(&'static str),
}

impl KeyError {
    fn is_already_there(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists)
    }
}

/// A value sealed by [`KeyRing::seal`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The generation that sealed it.
    pub key_id: String,
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// The key file as it stands on disk.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// The generation that seals new values.
    active: String,
    /// Every generation still needed to open old values: id to base64 secret.
    generations: BTreeMap<String, String>,
    /// The secret behind the access log, session-bound tokens and cursors. It does not rotate with the rest:
    /// the chain of the access log hangs on it.
    signing: String,
}

struct Generations {
    note: Option<String>,
    active: String,
    secrets: BTreeMap<String, Vec<u8>>,
    signing: Vec<u8>,
}

/// The keys of one deployment. Clones share the same ring.
#[derive(Clone)]
pub struct KeyRing {
    path: Arc<PathBuf>,
    held: Arc<RwLock<Arc<Generations>>>,
    random: SharedRandom,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = self.generations();
        f.debug_struct("KeyRing")
            .field("active", &held.active)
            .field("generations", &held.secrets.len())
            .finish_non_exhaustive()
    }
}

impl KeyRing {
    /// Reads the ring from `path`.
    ///
    /// # Errors
    /// When the file is missing, is not a key file, or holds a secret shorter than [`SECRET_BYTES`].
    pub fn load(path: &Path, random: SharedRandom) -> Result<Self, KeyError> {
        let held = read_key_file(path)?;
        Ok(Self { path: Arc::new(path.to_owned()), held: Arc::new(RwLock::new(Arc::new(held))), random })
    }

    /// Makes a new ring with one generation and writes it to `path`, readable by its owner only.
    ///
    /// # Errors
    /// When the file exists already or cannot be written.
    pub fn create(path: &Path, note: Option<&str>, random: SharedRandom) -> Result<Self, KeyError> {
        let id = generation_id(random.as_ref());
        let file = KeyFile {
            note: note.map(str::to_owned),
            active: id.clone(),
            generations: BTreeMap::from([(id, new_secret(random.as_ref()))]),
            signing: new_secret(random.as_ref()),
        };
        write_private(path, &key_file_text(&file), true)?;
        Self::load(path, random)
    }

    /// Reads the ring, or makes one where there is none yet.
    ///
    /// # Errors
    /// As [`KeyRing::load`] and [`KeyRing::create`].
    pub fn load_or_create(path: &Path, note: Option<&str>, random: SharedRandom) -> Result<Self, KeyError> {
        if path.exists() {
            return Self::load(path, random);
        }
        match Self::create(path, note, random.clone()) {
            // Another process was faster: there must be one ring.
            Err(error) if error.is_already_there() => Self::load(path, random),
            made => made,
        }
    }

    /// Whether the sandbox made this ring.
    #[must_use]
    pub fn is_sandbox_made(&self) -> bool {
        self.generations().note.as_deref() == Some(SANDBOX_MARK)
    }

    /// The generation that seals new values.
    #[must_use]
    pub fn active_id(&self) -> String {
        self.generations().active.clone()
    }

    /// Every generation the ring holds.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.generations().secrets.keys().cloned().collect()
    }

    /// Adds a generation and makes it the active one. Old values still open.
    ///
    /// # Errors
    /// When the key file cannot be read or replaced.
    pub fn add_generation(&self) -> Result<String, KeyError> {
        self.rewrite(|file, random| {
            let id = generation_id(random);
            file.generations.insert(id.clone(), new_secret(random));
            file.active.clone_from(&id);
            id
        })
    }

    /// Drops every generation but the active one. Call it only when no row names them any more.
    ///
    /// # Errors
    /// When the key file cannot be read or replaced.
    pub fn retire_old_generations(&self) -> Result<(), KeyError> {
        self.rewrite(|file, _| {
            let active = file.active.clone();
            file.generations.retain(|id, _| *id == active);
        })
    }

    /// Seals `plain` for `purpose`. A value sealed for one purpose does not open for another.
    ///
    /// # Errors
    /// Only when the cryptographic library refuses.
    pub fn seal(&self, purpose: &'static str, plain: &[u8]) -> Result<Sealed, KeyError> {
        let held = self.generations();
        let secret = held.secrets.get(&held.active).ok_or(KeyError::Library("no active generation"))?;
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce);
        let mut bytes = plain.to_vec();
        sealing_key(secret, purpose)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut bytes,
            )
            .map_err(|_| KeyError::Library("sealing"))?;
        bytes.splice(0..0, nonce);
        Ok(Sealed { key_id: held.active.clone(), bytes })
    }

    /// Opens a value that [`KeyRing::seal`] sealed for the same purpose. Where the generation is unknown the
    /// key file is read again first: another process may have rotated it.
    ///
    /// # Errors
    /// [`KeyError::UnknownKey`] or [`KeyError::DoesNotOpen`].
    pub fn open(&self, purpose: &'static str, sealed: &Sealed) -> Result<Vec<u8>, KeyError> {
        let mut held = self.generations();
        if !held.secrets.contains_key(&sealed.key_id) {
            held = self.reload()?;
        }
        let secret =
            held.secrets.get(&sealed.key_id).ok_or_else(|| KeyError::UnknownKey(sealed.key_id.clone()))?;
        if sealed.bytes.len() < NONCE_LEN {
            return Err(KeyError::DoesNotOpen);
        }
        let (nonce, body) = sealed.bytes.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyError::DoesNotOpen)?;
        let mut body = body.to_vec();
        let plain = sealing_key(secret, purpose)?
            .open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut body)
            .map_err(|_| KeyError::DoesNotOpen)?;
        Ok(plain.to_vec())
    }

    /// The keyed hash under which a sealed value is stored for look-up, by the active generation.
    ///
    /// # Errors
    /// Only when the cryptographic library refuses.
    pub fn index(&self, purpose: &'static str, value: &[u8]) -> Result<Vec<u8>, KeyError> {
        let held = self.generations();
        let secret = held.secrets.get(&held.active).ok_or(KeyError::Library("no active generation"))?;
        Ok(crypto::hmac_sha256(&derive(secret, "index", purpose)?, value).to_vec())
    }

    /// The same keyed hash by every generation held: what to look for while a rotation is under way.
    ///
    /// # Errors
    /// Only when the cryptographic library refuses.
    pub fn index_all(&self, purpose: &'static str, value: &[u8]) -> Result<Vec<Vec<u8>>, KeyError> {
        self.generations()
            .secrets
            .values()
            .map(|secret| Ok(crypto::hmac_sha256(&derive(secret, "index", purpose)?, value).to_vec()))
            .collect()
    }

    /// A key for authenticating what we hand out or write down under `purpose`. It survives rotation.
    ///
    /// # Errors
    /// Only when the cryptographic library refuses.
    pub fn mac_key(&self, purpose: &'static str) -> Result<[u8; 32], KeyError> {
        derive(&self.generations().signing, "mac", purpose)
    }

    /// Reads the key file again: another process may have rotated it.
    ///
    /// # Errors
    /// As [`KeyRing::load`].
    pub fn reload_from_file(&self) -> Result<(), KeyError> {
        self.reload().map(|_| ())
    }

    fn generations(&self) -> Arc<Generations> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn reload(&self) -> Result<Arc<Generations>, KeyError> {
        let fresh = Arc::new(read_key_file(&self.path)?);
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
        Ok(fresh)
    }

    fn rewrite<T>(&self, change: impl FnOnce(&mut KeyFile, &dyn Random) -> T) -> Result<T, KeyError> {
        let text = read_text(&self.path)?;
        let mut file: KeyFile = serde_json::from_str(&text).map_err(|error| malformed(&self.path, &error))?;
        let out = change(&mut file, self.random.as_ref());
        write_private(&self.path, &key_file_text(&file), false)?;
        self.reload()?;
        Ok(out)
    }
}

fn derive(secret: &[u8], kind: &str, purpose: &str) -> Result<[u8; 32], KeyError> {
    struct Length;
    impl KeyType for Length {
        fn len(&self) -> usize {
            32
        }
    }
    let refused = |_| KeyError::Library("key derivation");
    let mut out = [0; 32];
    Salt::new(HKDF_SHA256, b"front-door")
        .extract(secret)
        .expand(&[kind.as_bytes(), b"/", purpose.as_bytes()], Length)
        .map_err(refused)?
        .fill(&mut out)
        .map_err(refused)?;
    Ok(out)
}

fn sealing_key(secret: &[u8], purpose: &str) -> Result<LessSafeKey, KeyError> {
    UnboundKey::new(&AES_256_GCM, &derive(secret, "seal", purpose)?)
        .map(LessSafeKey::new)
        .map_err(|_| KeyError::Library("sealing key"))
}

fn generation_id(random: &dyn Random) -> String {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    format!("k-{}", crypto::hex(&bytes))
}

fn new_secret(random: &dyn Random) -> String {
    let mut bytes = [0; SECRET_BYTES];
    random.fill(&mut bytes);
    STANDARD.encode(bytes)
}

fn key_file_text(file: &KeyFile) -> String {
    // A map of strings always serialises.
    serde_json::to_string_pretty(file).unwrap_or_default()
}

fn read_text(path: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(path).map_err(|source| KeyError::File { path: path.to_owned(), source })
}

fn malformed(path: &Path, error: &serde_json::Error) -> KeyError {
    // The message of serde_json may quote the value it met: say only where.
    KeyError::Malformed {
        path: path.to_owned(),
        reason: format!("not a key file (line {}, column {})", error.line(), error.column()),
    }
}

fn read_key_file(path: &Path) -> Result<Generations, KeyError> {
    let file: KeyFile = serde_json::from_str(&read_text(path)?).map_err(|error| malformed(path, &error))?;
    let wrong = |reason: String| KeyError::Malformed { path: path.to_owned(), reason };
    let secret = |name: &str, text: &str| {
        let bytes =
            STANDARD.decode(text.trim()).map_err(|_| wrong(format!("the secret of {name} is not base64")))?;
        if bytes.len() < SECRET_BYTES {
            return Err(wrong(format!(
                "the secret of {name} is {} bytes short of {SECRET_BYTES}",
                SECRET_BYTES - bytes.len()
            )));
        }
        Ok(bytes)
    };
    let secrets = file
        .generations
        .iter()
        .map(|(id, text)| Ok((id.clone(), secret(id, text)?)))
        .collect::<Result<BTreeMap<_, _>, KeyError>>()?;
    if !secrets.contains_key(&file.active) {
        return Err(wrong(format!("the active generation {} is not in it", file.active)));
    }
    Ok(Generations {
        note: file.note,
        active: file.active,
        signing: secret("signing", &file.signing)?,
        secrets,
    })
}

/// Writes a file that only its owner can read, in one step, so that a reader sees the old or the new one whole.
/// Of several processes that write a file that must be new, one does.
fn write_private(path: &Path, text: &str, must_be_new: bool) -> Result<(), KeyError> {
    use std::io::Write;
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_extension(format!("{}-{number}.new", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    if !must_be_new {
        return std::fs::rename(&beside, path).map_err(failed);
    }
    // A link is made only where nothing is; a rename would put one key in the place of another.
    let linked = std::fs::hard_link(&beside, path);
    std::fs::remove_file(&beside).map_err(failed)?;
    linked.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::OsRandom;
    use proptest::prelude::*;

    fn ring() -> (tempfile::TempDir, KeyRing) {
        let folder = tempfile::tempdir().unwrap();
        let ring = KeyRing::create(&folder.path().join("keys/ring.json"), None, Arc::new(OsRandom)).unwrap();
        (folder, ring)
    }

    #[test]
    fn of_many_that_make_the_ring_at_once_one_does_and_all_hold_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/ring.json");
        let make = || KeyRing::load_or_create(&path, None, Arc::new(OsRandom)).unwrap().active_id();
        let ids: Vec<String> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
        assert!(KeyRing::create(&path, None, Arc::new(OsRandom)).unwrap_err().is_already_there());
    }

    #[test]
    fn what_is_sealed_opens_and_only_for_its_purpose() {
        let (_folder, ring) = ring();
        let sealed = ring.seal("patient.name", b"Quillon").unwrap();
        assert_eq!(ring.open("patient.name", &sealed).unwrap(), b"Quillon");
        assert!(matches!(ring.open("patient.contact", &sealed), Err(KeyError::DoesNotOpen)));
        assert_ne!(sealed.bytes, ring.seal("patient.name", b"Quillon").unwrap().bytes, "a nonce repeats");
    }

    #[test]
    fn after_a_rotation_old_values_open_until_their_key_is_retired() {
        let (_folder, ring) = ring();
        let old = ring.seal("p", b"before").unwrap();
        let old_index = ring.index("p", b"before").unwrap();
        let mac = ring.mac_key("log").unwrap();
        let id = ring.add_generation().unwrap();
        assert_eq!(ring.active_id(), id);
        assert_eq!(ring.open("p", &old).unwrap(), b"before");
        assert!(ring.index_all("p", b"before").unwrap().contains(&old_index));
        assert_ne!(ring.index("p", b"before").unwrap(), old_index);
        assert_eq!(ring.mac_key("log").unwrap(), mac);
        ring.retire_old_generations().unwrap();
        assert!(matches!(ring.open("p", &old), Err(KeyError::UnknownKey(_))));
    }

    #[test]
    fn a_ring_notices_a_rotation_by_another_process() {
        let (folder, here) = ring();
        let there = KeyRing::load(&folder.path().join("keys/ring.json"), Arc::new(OsRandom)).unwrap();
        there.add_generation().unwrap();
        let sealed = there.seal("p", b"new").unwrap();
        assert_eq!(here.open("p", &sealed).unwrap(), b"new");
    }

    #[test]
    fn short_or_broken_secrets_are_refused_without_being_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring.json");
        let short = STANDARD.encode([7; 16]);
        let text = format!(r#"{{"active":"a","generations":{{"a":"{short}"}},"signing":"{short}"}}"#);
        std::fs::write(&path, text).unwrap();
        let said = KeyRing::load(&path, Arc::new(OsRandom)).unwrap_err().to_string();
        assert!(said.contains("16 bytes short of 32"), "{said}");
        assert!(!said.contains(&short), "{said}");
    }

    #[cfg(unix)]
    #[test]
    fn key_files_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, _ring) = ring();
        let mode = std::fs::metadata(folder.path().join("keys/ring.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    proptest! {
        #[test]
        fn no_changed_byte_goes_unnoticed(plain in proptest::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
            let (_folder, ring) = ring();
            let mut sealed = ring.seal("p", &plain).unwrap();
            let at = at.index(sealed.bytes.len());
            sealed.bytes[at] ^= 1_u8 << bit;
            prop_assert!(ring.open("p", &sealed).is_err());
        }
    }
}
