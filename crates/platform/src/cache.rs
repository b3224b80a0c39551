//! Finished answers, kept for as long as they hold.
//!
//! What is cached is the bytes that go out, with their entity tag, under a typed key that names everything
//! the answer depends on: a generation, a version, a date. A change therefore makes a new key, and nothing
//! ever has to be taken back. Concurrent misses on one key are made once. In production a second level in
//! Redis is shared by all instances; only keys that hold nothing of a person may go there
//! ([`CacheKey::SHARED`]). Losing Redis loses speed and nothing else: it may be stopped, flushed or full of garbage.
//! What comes back from it is believed only with a keyed hash over name and content; anything else is a miss, and is
//! counted and made known ([`Cache::is_damaged`]).

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, IntoConnectionInfo, RedisError};
use serde::Serialize;

use crate::crypto;

/// The bytes of an answer and their strong entity tag (RFC 9110 section 8.8.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The entity tag, in quotes, as it stands in the header.
    pub etag: String,
    /// The body as it goes out.
    pub body: Bytes,
}

impl Answer {
    /// Serialises `value` as JSON; the tag is a hash of the bytes.
    ///
    /// # Errors
    /// When `value` does not serialise.
    pub fn json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self::from_body(serde_json::to_vec(value)?.into()))
    }

    fn from_body(body: Bytes) -> Self {
        let tag = crypto::b64url(&crypto::sha256(&body)[..15]);
        Self { etag: format!("\"{tag}\""), body }
    }
}

/// Names one cached answer and everything it depends on.
pub trait CacheKey: Sync {
    /// Whether the answer may leave the process, to a cache that other instances share. Never true for a
    /// key or an answer that holds anything of a person.
    const SHARED: bool;

    /// The key as text, unique over all kinds of key: start it with the name of the room.
    fn key(&self) -> String;

    /// How long the answer may be kept when nothing newer pushes it out.
    fn ttl(&self) -> Duration;
}

#[derive(Clone)]
struct Entry {
    answer: Answer,
    ttl: Duration,
}

struct ByEntry;

impl Expiry<String, Entry> for ByEntry {
    fn expire_after_create(&self, _: &String, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }
}

/// For how long an entry of the shared level that was not what we wrote is worth a warning.
const DAMAGE_IS_NEWS_FOR: Duration = Duration::from_secs(300);
/// Bytes of the keyed hash that stand before the content in the shared level.
const MAC_BYTES: usize = 32;

/// The cache of one process, with or without a shared second level.
#[derive(Clone)]
pub struct Cache {
    held: moka::future::Cache<String, Entry>,
    shared: Option<Shared>,
}

#[derive(Clone)]
struct Shared {
    redis: ConnectionManager,
    prefix: Arc<str>,
    /// Until when, in milliseconds since `started`, Redis is left alone after it failed.
    rests_until: Arc<AtomicI64>,
    /// When, in milliseconds since `started`, an entry was last found damaged; negative: never.
    damaged_at: Arc<AtomicI64>,
    mac_key: Arc<[u8]>,
    started: Instant,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("shared", &self.shared.is_some()).finish_non_exhaustive()
    }
}

impl Cache {
    /// A cache in this process alone, of at most `capacity` bytes.
    #[must_use]
    pub fn in_process(capacity: u64) -> Self {
        let held = moka::future::Cache::builder()
            .max_capacity(capacity)
            .weigher(|key: &String, entry: &Entry| {
                u32::try_from(key.len() + entry.answer.body.len() + 128).unwrap_or(u32::MAX)
            })
            .expire_after(ByEntry)
            .build();
        Self { held, shared: None }
    }

    /// The same with a second level in the Redis at `url`. It is reached when first needed: a Redis that is
    /// down does not keep the service from starting. `mac_key` is a secret all instances share: what was not written
    /// with it is not believed.
    ///
    /// # Errors
    /// When `url` is not a Redis URL.
    pub fn with_redis(capacity: u64, url: &str, prefix: &str, mac_key: &[u8]) -> Result<Self, RedisError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_millis(500)))
            .set_response_timeout(Some(Duration::from_millis(250)))
            .set_number_of_retries(1);
        let client = redis::Client::open(url.into_connection_info()?)?;
        let redis = ConnectionManager::new_lazy_with_config(client, config)?;
        let shared = Shared {
            redis,
            prefix: prefix.into(),
            rests_until: Arc::new(AtomicI64::new(0)),
            damaged_at: Arc::new(AtomicI64::new(-1)),
            mac_key: mac_key.into(),
            started: Instant::now(),
        };
        Ok(Self { shared: Some(shared), ..Self::in_process(capacity) })
    }

    /// The answer under `key`: held, or fetched from the shared level, or made, and then kept. Of several
    /// callers at once, one makes it and all get it.
    ///
    /// # Errors
    /// What `make` answers; an error is not kept.
    pub async fn get_or_make<K, E, F>(&self, key: &K, make: F) -> Result<Answer, Arc<E>>
    where
        K: CacheKey,
        E: Send + Sync + 'static,
        F: Future<Output = Result<Answer, E>>,
    {
        let name = key.key();
        let ttl = key.ttl();
        if let Some(entry) = self.held.get(&name).await {
            return Ok(entry.answer);
        }
        let shared = self.shared.as_ref().filter(|_| K::SHARED);
        self.held
            .try_get_with_by_ref(&name, async {
                if let Some(answer) = fetch(shared, &name).await {
                    return Ok(Entry { answer, ttl });
                }
                metrics::counter!("cache_made_total").increment(1);
                let answer = make.await?;
                keep(shared, &name, &answer, ttl).await;
                Ok(Entry { answer, ttl })
            })
            .await
            .map(|entry| entry.answer)
    }

    /// The bytes under `name` in the shared level; none where there is no such level, it does not answer, has
    /// nothing, or has something we did not write. For large things that are held in memory in another form.
    pub async fn shared_bytes(&self, name: &str) -> Option<Bytes> {
        self.shared.as_ref()?.get(name).await
    }

    /// Keeps bytes in the shared level for `ttl`, where there is one. They must hold nothing of a person.
    pub async fn keep_shared_bytes(&self, name: &str, bytes: &[u8], ttl: Duration) {
        if let Some(shared) = &self.shared {
            shared.set(name, bytes, ttl).await;
        }
    }

    /// Whether there is a level that other instances share.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Whether an entry of the shared level was found to be something we did not write, in the last five minutes.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| {
            let at = shared.damaged_at.load(Ordering::Relaxed);
            at >= 0 && shared.millis() - at < DAMAGE_IS_NEWS_FOR.as_millis().try_into().unwrap_or(i64::MAX)
        })
    }

    /// Whether there is a shared level and it answers; `None` where there is none.
    pub async fn ping(&self) -> Option<Result<(), RedisError>> {
        let shared = self.shared.as_ref()?;
        let mut redis = shared.redis.clone();
        Some(redis.ping::<String>().await.map(|_| ()))
    }
}

async fn fetch(shared: Option<&Shared>, name: &str) -> Option<Answer> {
    shared?.get(name).await.map(Answer::from_body)
}

async fn keep(shared: Option<&Shared>, name: &str, answer: &Answer, ttl: Duration) {
    if let Some(shared) = shared {
        shared.set(name, &answer.body, ttl).await;
    }
}

impl Shared {
    async fn get(&self, name: &str) -> Option<Bytes> {
        if self.is_resting() {
            return None;
        }
        let full = self.name(name);
        let mut redis = self.redis.clone();
        match redis.get::<_, Option<Vec<u8>>>(&full).await {
            Ok(None) => None,
            Ok(Some(stored)) => {
                let body = self.open(&full, stored);
                if body.is_none() {
                    self.found_damaged();
                }
                body
            }
            // A list or a set stands under our name: somebody else's entry, while Redis itself is well.
            Err(error) if error.code() == Some("WRONGTYPE") => {
                self.found_damaged();
                None
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    async fn set(&self, name: &str, body: &[u8], ttl: Duration) {
        if self.is_resting() {
            return;
        }
        let full = self.name(name);
        let stored = self.seal(&full, body);
        let mut redis = self.redis.clone();
        if let Err(error) = redis.set_ex::<_, _, ()>(&full, stored, ttl.as_secs().max(1)).await {
            self.failed(&error);
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A keyed hash over the name and the content, so that an entry copied to another name is not believed either.
    fn mac(&self, full: &str, body: &[u8]) -> [u8; MAC_BYTES] {
        let mut said = Vec::with_capacity(8 + full.len() + body.len());
        said.extend_from_slice(&(full.len() as u64).to_be_bytes());
        said.extend_from_slice(full.as_bytes());
        said.extend_from_slice(body);
        crypto::hmac_sha256(&self.mac_key, &said)
    }

    fn seal(&self, full: &str, body: &[u8]) -> Vec<u8> {
        let mut stored = Vec::with_capacity(MAC_BYTES + body.len());
        stored.extend_from_slice(&self.mac(full, body));
        stored.extend_from_slice(body);
        stored
    }

    fn open(&self, full: &str, stored: Vec<u8>) -> Option<Bytes> {
        let stored = Bytes::from(stored);
        let (mac, body) = stored.split_at_checked(MAC_BYTES)?;
        crypto::constant_time_eq(mac, &self.mac(full, body)).then(|| stored.slice(MAC_BYTES..))
    }

    fn millis(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn is_resting(&self) -> bool {
        self.millis() < self.rests_until.load(Ordering::Relaxed)
    }

    fn found_damaged(&self) {
        self.damaged_at.store(self.millis(), Ordering::Relaxed);
        metrics::counter!("cache_shared_damaged_total").increment(1);
        tracing::warn!("an entry of the shared cache is not what was written there; it is made anew");
    }

    /// Leaves Redis alone for a second, so that a hung one does not slow every answer.
    fn failed(&self, error: &RedisError) {
        self.rests_until.store(self.millis() + 1_000, Ordering::Relaxed);
        metrics::counter!("cache_shared_failures_total").increment(1);
        tracing::warn!(error = %error, "the shared cache does not answer; going on without it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    struct Key(&'static str);
    impl CacheKey for Key {
        const SHARED: bool = true;
        fn key(&self) -> String {
            format!("test:{}", self.0)
        }
        fn ttl(&self) -> Duration {
            Duration::from_secs(60)
        }
    }

    #[tokio::test]
    async fn concurrent_misses_are_made_once_and_errors_are_not_kept() {
        let cache = Cache::in_process(1 << 20);
        let made = Arc::new(AtomicUsize::new(0));
        let calls = (0..20).map(|_| {
            let (cache, made) = (cache.clone(), made.clone());
            async move {
                cache
                    .get_or_make(&Key("a"), async {
                        made.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        Answer::json(&[1, 2])
                    })
                    .await
                    .unwrap()
            }
        });
        let all = futures::future::join_all(calls).await;
        assert_eq!(made.load(Ordering::SeqCst), 1);
        assert!(all.iter().all(|answer| answer.body == "[1,2]" && answer.etag == all[0].etag));

        let failed = cache.get_or_make(&Key("b"), async { Err::<Answer, _>("no") }).await;
        assert_eq!(*failed.unwrap_err(), "no");
        let then = cache.get_or_make(&Key("b"), async { Ok::<_, &str>(all[0].clone()) }).await;
        assert!(then.is_ok());
    }

    #[tokio::test]
    async fn a_redis_that_is_down_costs_speed_only() {
        let cache = Cache::with_redis(1 << 20, "redis://127.0.0.1:1/", "t:", b"key").unwrap();
        let answer = cache.get_or_make(&Key("a"), async { Answer::json(&"made") }).await.unwrap();
        assert_eq!(answer.body, "\"made\"");
        assert!(matches!(cache.ping().await, Some(Err(_))));
        cache.keep_shared_bytes("b", b"bytes", Duration::from_secs(1)).await;
        assert_eq!(cache.shared_bytes("b").await, None);
        assert!(cache.is_shared() && !cache.is_damaged());
    }

    #[tokio::test]
    async fn only_what_was_written_here_under_this_name_is_believed() {
        let cache = Cache::with_redis(1 << 20, "redis://127.0.0.1:1/", "t:", b"key").unwrap();
        let shared = cache.shared.unwrap();
        let stored = shared.seal("t:a", b"body");
        assert_eq!(shared.open("t:a", stored.clone()).unwrap(), "body");
        assert_eq!(shared.open("t:a", shared.seal("t:a", b"")).unwrap(), "");
        assert_eq!(shared.open("t:b", stored.clone()), None, "copied to another name");
        assert_eq!(shared.open("t:a", b"body".to_vec()), None, "shorter than a hash");
        let other = Shared { mac_key: b"other".as_slice().into(), ..shared.clone() };
        assert_eq!(shared.open("t:a", other.seal("t:a", b"body")), None, "another deployment's");
        for place in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[place] ^= 1;
            assert_eq!(shared.open("t:a", damaged), None, "byte {place}");
        }
    }

    /// With the Redis that `FRONT_DOOR_TEST_CACHE_URL` names.
    #[tokio::test]
    async fn garbage_in_redis_is_made_anew_and_made_known() {
        let Some(url) = std::env::var("FRONT_DOOR_TEST_CACHE_URL").ok().filter(|url| !url.is_empty()) else {
            return;
        };
        let prefix = format!("{}:", crate::testing::unique("cache_test"));
        let fresh = || Cache::with_redis(1 << 20, &url, &prefix, b"key").unwrap();
        let client = redis::Client::open(url.as_str()).unwrap();
        let mut redis = client.get_multiplexed_async_connection().await.unwrap();
        let name = format!("{prefix}test:a");
        let ask = async |cache: &Cache| {
            let made = AtomicUsize::new(0);
            let answer = cache
                .get_or_make(&Key("a"), async {
                    made.fetch_add(1, Ordering::SeqCst);
                    Answer::json(&"made")
                })
                .await
                .unwrap();
            assert_eq!(answer.body, "\"made\"");
            made.into_inner()
        };
        assert_eq!(ask(&fresh()).await, 1);
        let shared = fresh();
        assert_eq!((ask(&shared).await, shared.is_damaged()), (0, false), "from Redis");
        for text in ["", "garbage", "\"forged\" and long enough to hold what looks like a hash before it"] {
            redis.set::<_, _, ()>(&name, text).await.unwrap();
            let cache = fresh();
            assert_eq!((ask(&cache).await, cache.is_damaged()), (1, true), "{text:?}");
            assert_eq!(ask(&fresh()).await, 0, "it was written anew");
        }
        redis.del::<_, ()>(&name).await.unwrap();
        redis.lpush::<_, _, ()>(&name, "an entry of another type").await.unwrap();
        let cache = fresh();
        assert_eq!((ask(&cache).await, cache.is_damaged()), (1, true));
        assert_eq!(ask(&fresh()).await, 0);
        redis.del::<_, ()>(&name).await.unwrap();
    }

    #[test]
    fn a_tag_follows_the_bytes() {
        let (one, two) = (Answer::json(&1).unwrap(), Answer::json(&2).unwrap());
        assert_ne!(one.etag, two.etag);
        assert!(one.etag.starts_with('"') && one.etag.ends_with('"'));
    }
}
