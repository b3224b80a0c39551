//! The chain: what makes every change to the log visible.

use platform::Db;
use platform::crypto::{constant_time_eq, hmac_sha256};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::Entry;
use crate::store::{access_log, access_log_head};

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
            texts: [
                &entry.authority,
                entry.client.as_str(),
                entry.category.as_str(),
                entry.purpose,
                entry.operation,
            ],
            refused: entry.outcome.refused(),
        }
    }

    fn read(row: &'a access_log::Model) -> Self {
        Self {
            month: row.month,
            lane: row.lane,
            seq: row.seq,
            at_micros: row.at_micros,
            request_id: row.request_id,
            actor: row.actor,
            subject: row.subject,
            texts: [&row.authority, &row.client, &row.category, &row.purpose, &row.operation],
            refused: row.refused.as_deref(),
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
    // A chain whose head was removed would go unseen: every entry must have been walked or come since.
    let all = access_log::Entity::find().count(db.read()).await?;
    if all < verdict.entries {
        let month = heads.last().map_or(0, |head| head.month);
        verdict.broken =
            Some(Broken { month, lane: 0, seq: 0, reason: "entries disappear while being read" });
    } else if let Some(orphan) = orphan(db, &heads).await? {
        verdict.broken = Some(orphan);
    }
    Ok(verdict)
}

/// The first entry that belongs to no chain with a head.
async fn orphan(db: &Db, heads: &[access_log_head::Model]) -> Result<Option<Broken>, DbErr> {
    let chains: Vec<(i32, i16)> = access_log::Entity::find()
        .select_only()
        .column(access_log::Column::Month)
        .column(access_log::Column::Lane)
        .distinct()
        .into_tuple()
        .all(db.read())
        .await?;
    Ok(chains
        .into_iter()
        .find(|(month, lane)| !heads.iter().any(|head| head.month == *month && head.lane == *lane))
        .map(|(month, lane)| Broken { month, lane, seq: 0, reason: "the chain has no head" }))
}

async fn walk(
    db: &Db,
    key: &[u8; 32],
    head: &access_log_head::Model,
    entries: &mut u64,
) -> Result<Option<Broken>, DbErr> {
    const PAGE: u64 = 2_000;
    let broken = |seq, reason| Ok(Some(Broken { month: head.month, lane: head.lane, seq, reason }));
    let mut before = Vec::new();
    let mut expected = 0;
    loop {
        let rows = access_log::Entity::find()
            .filter(access_log::Column::Month.eq(head.month))
            .filter(access_log::Column::Lane.eq(head.lane))
            .filter(access_log::Column::Seq.gte(expected))
            .order_by_asc(access_log::Column::Seq)
            .limit(PAGE)
            .all(db.read())
            .await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            // Entries written since the head was read are walked by the next verification.
            if expected == head.next_seq {
                break;
            }
            if row.seq != expected {
                return broken(expected, "the entry is missing");
            }
            let mac = link(key, &before, &Facts::read(&row));
            if !constant_time_eq(&mac, &row.mac) {
                return broken(expected, "the entry was changed, or one before it");
            }
            before = mac;
            expected += 1;
            *entries += 1;
        }
        if expected == head.next_seq {
            break;
        }
    }
    if expected != head.next_seq {
        return broken(expected, "the chain ends before its head");
    }
    if head.mac.as_deref().unwrap_or_default() != before {
        return broken(expected, "the head does not fit the last entry");
    }
    Ok(None)
}
