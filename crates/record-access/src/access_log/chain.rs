//! The chain: what makes every change to the log visible.

use std::collections::HashSet;

use platform::Db;
use platform::crypto::{constant_time_eq, hmac_sha256};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::Entry;
use super::block::{self, Stored};
use crate::store::{access_log_block, access_log_head, access_log_subject};

/// What the chain protects, whether it comes from an entry to be written or from a row read back.
pub(super) struct Facts<'a> {
    month: i32,
    lane: i16,
    seq: i64,
    at_micros: i64,
    request_id: Uuid,
    actor: Option<Uuid>,
    subject: Option<Uuid>,
    texts: [&'a str; 5],
    refused: Option<&'a str>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(entry: &'a Entry, at_micros: i64, month: i32, lane: i16, seq: i64) -> Self {
        Self {
            month,
            lane,
            seq,
            at_micros,
            request_id: entry.request_id,
            actor: entry.actor.map(|actor| actor.0),
            subject: entry.subject.map(|subject| subject.0),
            texts: entry.texts(),
            refused: entry.outcome.refused(),
        }
    }

    fn read(stored: &'a Stored, month: i32, lane: i16, seq: i64) -> Self {
        Self {
            month,
            lane,
            seq,
            at_micros: stored.at_micros,
            request_id: stored.request_id,
            actor: stored.actor,
            subject: stored.subject,
            texts: stored.texts.each_ref().map(String::as_str),
            refused: stored.refused.as_deref(),
        }
    }
}

/// The HMAC of an entry: over its predecessor's and every fact, each with its length before it, so that no
/// two different entries give the same bytes.
pub(super) fn link(key: &[u8; 32], before: &[u8], facts: &Facts<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    let mut put = |part: &[u8]| {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    put(before);
    put(&facts.month.to_be_bytes());
    put(&facts.lane.to_be_bytes());
    put(&facts.seq.to_be_bytes());
    put(&facts.at_micros.to_be_bytes());
    put(facts.request_id.as_bytes());
    for id in [facts.actor, facts.subject] {
        put(id.as_ref().map_or(&[], |id| id.as_bytes().as_slice()));
    }
    for text in facts.texts {
        put(text.as_bytes());
    }
    match facts.refused {
        None => put(b"allowed"),
        Some(reason) => {
            put(b"refused");
            put(reason.as_bytes());
        }
    }
    hmac_sha256(key, &bytes).to_vec()
}

/// What a walk over the whole log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Entries whose place in their chain is proved.
    pub entries: u64,
    /// Chains walked.
    pub chains: u64,
    /// The first entry that breaks its chain.
    pub broken: Option<Broken>,
}

/// An entry that breaks its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Year and month of the chain, as `202611`.
    pub month: i32,
    /// Lane of the chain.
    pub lane: i16,
    /// The entry's place in it.
    pub seq: i64,
    /// What is wrong.
    pub reason: &'static str,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "entry {} of chain {}/{}: {}", self.seq, self.month, self.lane, self.reason)
    }
}

/// Walks every chain from its first entry to its head.
pub(super) async fn verify(db: &Db, key: &[u8; 32]) -> Result<Verdict, DbErr> {
    let heads = access_log_head::Entity::find()
        .order_by_asc(access_log_head::Column::Month)
        .order_by_asc(access_log_head::Column::Lane)
        .all(db.read())
        .await?;
    let mut verdict = Verdict { entries: 0, chains: 0, broken: None };
    for head in &heads {
        verdict.chains += 1;
        if let Some(broken) = walk(db, key, head, &mut verdict.entries).await? {
            verdict.broken = Some(broken);
            return Ok(verdict);
        }
    }
    // A chain whose head was removed would go unseen.
    verdict.broken = orphan(db, &heads).await?;
    Ok(verdict)
}

/// The first block that belongs to no chain with a head.
async fn orphan(db: &Db, heads: &[access_log_head::Model]) -> Result<Option<Broken>, DbErr> {
    let chains: Vec<(i32, i16)> = access_log_block::Entity::find()
        .select_only()
        .column(access_log_block::Column::Month)
        .column(access_log_block::Column::Lane)
        .distinct()
        .into_tuple()
        .all(db.read())
        .await?;
    let mut orphans = chains
        .into_iter()
        .filter(|(month, lane)| !heads.iter().any(|head| head.month == *month && head.lane == *lane));
    Ok(orphans.next().map(|(month, lane)| Broken { month, lane, seq: 0, reason: "the chain has no head" }))
}

/// Walks one chain, adding to `entries` what it has proved.
async fn walk(
    db: &Db,
    key: &[u8; 32],
    head: &access_log_head::Model,
    entries: &mut u64,
) -> Result<Option<Broken>, DbErr> {
    const PAGE: u64 = 16;
    let mut place = Place { month: head.month, lane: head.lane, before: Vec::new(), expected: 0 };
    // Blocks written since the head was read are walked by the next verification.
    while place.expected < head.next_seq {
        let blocks = access_log_block::Entity::find()
            .filter(access_log_block::Column::Month.eq(head.month))
            .filter(access_log_block::Column::Lane.eq(head.lane))
            .filter(access_log_block::Column::FirstSeq.gte(place.expected))
            .filter(access_log_block::Column::FirstSeq.lt(head.next_seq))
            .order_by_asc(access_log_block::Column::FirstSeq)
            .limit(PAGE)
            .all(db.read())
            .await?;
        if blocks.is_empty() {
            return Ok(Some(place.broken("the chain ends before its head")));
        }
        let found = index_of(db, &blocks).await?;
        for block in &blocks {
            if let Err(broken) = place.walk_block(key, block, &found) {
                return Ok(Some(broken));
            }
            *entries += u64::from(block.entry_count.unsigned_abs());
        }
    }
    if place.expected != head.next_seq || head.mac.as_deref().unwrap_or_default() != place.before {
        return Ok(Some(place.broken("the head does not fit the last entry")));
    }
    Ok(None)
}

/// What the index says of the subjects of `blocks`: which of them is found in which block.
async fn index_of(db: &Db, blocks: &[access_log_block::Model]) -> Result<HashSet<(Uuid, i64)>, DbErr> {
    let subjects: HashSet<Uuid> =
        blocks.iter().filter_map(|block| block::subjects(&block.subjects)).flatten().collect();
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return Ok(HashSet::new()) };
    let found: Vec<(Uuid, i64)> = access_log_subject::Entity::find()
        .select_only()
        .column(access_log_subject::Column::Subject)
        .column(access_log_subject::Column::FirstSeq)
        .filter(access_log_subject::Column::Subject.is_in(subjects))
        .filter(access_log_subject::Column::Month.eq(first.month))
        .filter(access_log_subject::Column::Lane.eq(first.lane))
        .filter(access_log_subject::Column::FirstSeq.between(first.first_seq, last.first_seq))
        .into_tuple()
        .all(db.read())
        .await?;
    Ok(found.into_iter().collect())
}

/// How far a walk has come.
struct Place {
    month: i32,
    lane: i16,
    /// The HMAC of the entry before.
    before: Vec<u8>,
    /// The place of the entry that comes next.
    expected: i64,
}

impl Place {
    fn broken(&self, reason: &'static str) -> Broken {
        Broken { month: self.month, lane: self.lane, seq: self.expected, reason }
    }

    fn walk_block(
        &mut self,
        key: &[u8; 32],
        block: &access_log_block::Model,
        found: &HashSet<(Uuid, i64)>,
    ) -> Result<(), Broken> {
        if block.first_seq != self.expected {
            return Err(self.broken("the entry is missing"));
        }
        let subjects = block::subjects(&block.subjects)
            .ok_or_else(|| self.broken("the subjects of its block do not read back"))?;
        let (stored, whole) = block::read(&block.entries, &subjects);
        for entry in &stored {
            let mac = link(key, &self.before, &Facts::read(entry, self.month, self.lane, self.expected));
            if !constant_time_eq(&mac, &entry.mac) {
                return Err(self.broken("the entry was changed, or one before it"));
            }
            self.before = mac;
            self.expected += 1;
        }
        if !whole {
            return Err(self.broken("the entry does not read back"));
        }
        if self.expected != block.first_seq + i64::from(block.entry_count) {
            return Err(self.broken("the entry is missing"));
        }
        if subjects.iter().any(|subject| !found.contains(&(*subject, block.first_seq))) {
            self.expected = block.first_seq;
            return Err(self.broken("the index of subjects does not lead to its block"));
        }
        Ok(())
    }
}
