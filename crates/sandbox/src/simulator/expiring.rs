//! A map that forgets: every entry lives for one fixed time, and the number of entries has a ceiling.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, Duration, Utc};

/// Entries keyed by a string, each kept for the same time. At the ceiling the oldest make room, so a flood
/// of requests costs a bounded amount of memory and never an error for the newest caller.
#[derive(Debug)]
pub(crate) struct ExpiringMap<V> {
    lifetime: Duration,
    capacity: usize,
    entries: HashMap<String, Entry<V>>,
    /// Keys in the order they were put in, which is the order they expire in. A key taken out early leaves
    /// its place here until it comes to the front; `serial` tells it from a later entry of the same name.
    order: VecDeque<(String, u64)>,
    serial: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    expires: DateTime<Utc>,
    serial: u64,
}

impl<V> ExpiringMap<V> {
    pub(crate) fn new(lifetime: Duration, capacity: usize) -> Self {
        Self {
            lifetime,
            capacity: capacity.max(1),
            entries: HashMap::new(),
            order: VecDeque::new(),
            serial: 0,
        }
    }

    pub(crate) fn insert(&mut self, key: String, value: V, now: DateTime<Utc>) {
        self.drop_expired(now);
        while self.order.len() >= self.capacity {
            self.drop_front();
        }
        self.serial += 1;
        self.order.push_back((key.clone(), self.serial));
        self.entries.insert(key, Entry { value, expires: now + self.lifetime, serial: self.serial });
    }

    pub(crate) fn get(&self, key: &str, now: DateTime<Utc>) -> Option<&V> {
        self.entries.get(key).filter(|entry| now < entry.expires).map(|entry| &entry.value)
    }

    pub(crate) fn get_mut(&mut self, key: &str, now: DateTime<Utc>) -> Option<&mut V> {
        self.entries.get_mut(key).filter(|entry| now < entry.expires).map(|entry| &mut entry.value)
    }

    pub(crate) fn remove(&mut self, key: &str, now: DateTime<Utc>) -> Option<V> {
        self.entries.remove(key).filter(|entry| now < entry.expires).map(|entry| entry.value)
    }

    fn drop_expired(&mut self, now: DateTime<Utc>) {
        while let Some((key, serial)) = self.order.front() {
            let live =
                self.entries.get(key).is_some_and(|entry| entry.serial == *serial && now < entry.expires);
            if live {
                break;
            }
            self.drop_front();
        }
    }

    fn drop_front(&mut self) {
        if let Some((key, serial)) = self.order.pop_front()
            && self.entries.get(&key).is_some_and(|entry| entry.serial == serial)
        {
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_000_000 + second, 0).unwrap()
    }

    #[test]
    fn an_entry_lives_exactly_as_long_as_it_may() {
        let mut map = ExpiringMap::new(Duration::seconds(10), 4);
        map.insert("a".into(), 1, at(0));
        assert_eq!(map.get("a", at(9)), Some(&1));
        assert_eq!(map.get("a", at(10)), None);
        assert_eq!(map.remove("a", at(10)), None);
    }

    #[test]
    fn the_oldest_make_room_and_memory_stays_bounded() {
        let mut map = ExpiringMap::new(Duration::seconds(10), 3);
        for n in 0..100 {
            map.insert(n.to_string(), n, at(0));
            if n % 2 == 0 {
                map.remove(&n.to_string(), at(0));
            }
            assert!(map.entries.len() <= 3 && map.order.len() <= 3);
        }
        assert_eq!(map.get("99", at(1)), Some(&99));
        assert_eq!(map.get("1", at(1)), None);
    }

    #[test]
    fn a_key_put_in_again_outlives_its_first_self() {
        let mut map = ExpiringMap::new(Duration::seconds(10), 8);
        map.insert("a".into(), 1, at(0));
        map.insert("a".into(), 2, at(5));
        map.insert("b".into(), 3, at(12));
        assert_eq!(map.get("a", at(12)), Some(&2));
    }
}
