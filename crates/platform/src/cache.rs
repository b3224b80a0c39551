//! Finished answers, kept for as long as they hold.
//!
//! What is cached is the bytes that go out, with their entity tag, under a typed key that names everything
//! the answer depends on: a generation, a version, a date. A change therefore makes a new key, and nothing
//! ever has to be taken back. Concurrent misses on one key are made once. In production a second level in
//! Redis is shared by all instances; only keys that hold nothing of a person may go there
//! ([`CacheKey::SHARED`]). Losing Redis loses speed and nothing else.

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
    /// down does not keep the service from starting.
    ///
    /// # Errors
    /// When `url` is not a Redis URL.
    pub fn with_redis(capacity: u64, url: &str, prefix: &str) -> Result<Self, RedisError> {
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

    /// Whether there is a shared level and it answers; `None` where there is none.
    pub async fn ping(&self) -> Option<Result<(), RedisError>> {
        let shared = self.shared.as_ref()?;
        let mut redis = shared.redis.clone();
        Some(redis.ping::<String>().await.map(|_| ()))
    }
}

async fn fetch(shared: Option<&Shared>, name: &str) -> Option<Answer> {
    let shared = shared.filter(|shared| !shared.is_resting())?;
    let mut redis = shared.redis.clone();
    match redis.get::<_, Option<Vec<u8>>>(shared.name(name)).await {
        Ok(found) => found.map(|bytes| Answer::from_body(bytes.into())),
        Err(error) => {
            shared.failed(&error);
            None
        }
    }
}

async fn keep(shared: Option<&Shared>, name: &str, answer: &Answer, ttl: Duration) {
    let Some(shared) = shared.filter(|shared| !shared.is_resting()) else { return };
    let mut redis = shared.redis.clone();
    let seconds = ttl.as_secs().max(1);
    if let Err(error) = redis.set_ex::<_, _, ()>(shared.name(name), answer.body.as_ref(), seconds).await {
        shared.failed(&error);
    }
}

impl Shared {
    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn millis(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn is_resting(&self) -> bool {
        self.millis() < self.rests_until.load(Ordering::Relaxed)
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
        let cache = Cache::with_redis(1 << 20, "redis://127.0.0.1:1/", "t:").unwrap();
        let answer = cache.get_or_make(&Key("a"), async { Answer::json(&"made") }).await.unwrap();
        assert_eq!(answer.body, "\"made\"");
        assert!(matches!(cache.ping().await, Some(Err(_))));
    }

    #[test]
    fn a_tag_follows_the_bytes() {
        let (one, two) = (Answer::json(&1).unwrap(), Answer::json(&2).unwrap());
        assert_ne!(one.etag, two.etag);
        assert!(one.etag.starts_with('"') && one.etag.ends_with('"'));
    }
}
