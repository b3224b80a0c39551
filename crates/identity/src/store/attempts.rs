//! Sign-ins under way: put once, taken once.

use chrono::{DateTime, Utc};
use platform::Db;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Set};

use super::{from_micros, sign_in_attempt};
use crate::attempt::{Attempt, Purpose};

const SIGN_IN: &str = "sign_in";
const STEP_UP: &str = "step_up";

/// Remembers a sign-in.
pub(crate) async fn put(db: &Db, attempt: &Attempt) -> Result<(), DbErr> {
    let (purpose, session_id) = match attempt.purpose {
        Purpose::SignIn => (SIGN_IN, None),
        Purpose::StepUp(session) => (STEP_UP, Some(session)),
    };
    let vtr = serde_json::to_string(&attempt.vtr).map_err(|error| DbErr::Json(error.to_string()))?;
    sign_in_attempt::Entity::insert(sign_in_attempt::ActiveModel {
        state_hash: Set(attempt.state_hash.to_vec()),
        browser_hash: Set(attempt.browser_hash.to_vec()),
        nonce: Set(attempt.nonce.clone()),
        pkce_verifier: Set(attempt.pkce_verifier.clone()),
        provider: Set(attempt.provider.clone()),
        issuer: Set(attempt.issuer.clone()),
        vtr: Set(vtr),
        return_to: Set(attempt.return_to.clone()),
        purpose: Set(purpose.to_owned()),
        session_id: Set(session_id),
        created_at_micros: Set(attempt.created_at.timestamp_micros()),
        expires_at_micros: Set(attempt.expires_at.timestamp_micros()),
    })
    .exec_without_returning(db.write())
    .await
    .map(|_| ())
}

/// Takes the sign-in with this state away. Of any number of callers exactly one gets it.
pub(crate) async fn take(db: &Db, state_hash: &[u8; 32]) -> Result<Option<Attempt>, DbErr> {
    let Some(row) = sign_in_attempt::Entity::find_by_id(state_hash.to_vec()).one(db.read()).await? else {
        return Ok(None);
    };
    let removed = sign_in_attempt::Entity::delete_by_id(state_hash.to_vec()).exec(db.write()).await?;
    if removed.rows_affected != 1 {
        return Ok(None);
    }
    let broken = |what: &str| DbErr::Custom(format!("a stored sign-in attempt: {what}"));
    Ok(Some(Attempt {
        state_hash: *state_hash,
        browser_hash: row.browser_hash.try_into().map_err(|_| broken("browser hash"))?,
        nonce: row.nonce,
        pkce_verifier: row.pkce_verifier,
        provider: row.provider,
        issuer: row.issuer,
        vtr: serde_json::from_str(&row.vtr).map_err(|_| broken("vtr"))?,
        return_to: row.return_to,
        purpose: match (row.purpose.as_str(), row.session_id) {
            (SIGN_IN, None) => Purpose::SignIn,
            (STEP_UP, Some(session)) => Purpose::StepUp(session),
            _ => return Err(broken("purpose")),
        },
        created_at: from_micros(row.created_at_micros),
        expires_at: from_micros(row.expires_at_micros),
    }))
}

/// Forgets sign-ins nobody came back from. Returns how many.
pub(crate) async fn sweep(db: &Db, now: DateTime<Utc>) -> Result<u64, DbErr> {
    sign_in_attempt::Entity::delete_many()
        .filter(sign_in_attempt::Column::ExpiresAtMicros.lte(now.timestamp_micros()))
        .exec(db.write())
        .await
        .map(|done| done.rows_affected)
}
