//! Generations that are kept: listed, gone back to, cleared away.

use super::{GenerationSummary, KEPT_AFTER_SUPERSESSION, Made, instant};
use crate::WaitingTimes;
use crate::error::WaitingTimesError;
use crate::store::generations::{self, Row};
use crate::store::months;

impl WaitingTimes {
    /// Every generation that is kept, the newest first.
    ///
    /// # Errors
    /// When the database does not answer or does not read back.
    pub async fn generations(&self) -> Result<Vec<GenerationSummary>, WaitingTimesError> {
        let active = months::pointer(self.db.read()).await?.generation;
        let mut summaries = Vec::new();
        for row in generations::all(self.db.read()).await? {
            summaries.push(self.summary(row, &active).await?);
        }
        Ok(summaries)
    }

    async fn summary(&self, row: Row, active: &str) -> Result<GenerationSummary, WaitingTimesError> {
        let (base, origin) = months::period_and_origin(self.db.read(), row.base_month_id)
            .await?
            .ok_or(WaitingTimesError::Inconsistent("the month of a generation is missing"))?;
        let made: Option<Made> = serde_json::from_str(&row.report_json).ok();
        Ok(GenerationSummary {
            active: row.generation == active,
            generation: row.generation,
            origin: origin.code(),
            base: base.to_string(),
            months: made
                .map_or_else(Vec::new, |made| made.months.into_iter().map(|month| month.period).collect()),
            model_version: row.model_version,
            has_model: row.header.is_some(),
            previous: row.previous,
            created_at: instant(row.created_at_micros),
            superseded_at: row.superseded_at_micros.and_then(instant),
            expires_at: row.expires_at_micros.and_then(instant),
        })
    }

    /// Points back at `generation`, or, without one, at the one that was in use when the present one was made. What
    /// was in use until now is kept as any superseded generation is. The name of what is in use now.
    ///
    /// # Errors
    /// [`WaitingTimesError::NoSuchGeneration`] when there is none of that name or it is of another origin than the
    /// figures in use, [`WaitingTimesError::NoEarlierGeneration`] when there is none to go back to, or when the
    /// database does not answer. Nothing is changed then.
    pub async fn rollback(&self, generation: Option<&str>) -> Result<String, WaitingTimesError> {
        let now = self.clock.now();
        let transaction = self.db.begin().await?;
        months::take_turn(&transaction).await?;
        let pointer = months::pointer(&transaction).await?;
        let active = generations::find(&transaction, &pointer.generation).await?;
        let wanted = match generation {
            Some(name) => name.to_owned(),
            None => active
                .as_ref()
                .and_then(|row| row.previous.clone())
                .ok_or(WaitingTimesError::NoEarlierGeneration)?,
        };
        let is_same_origin = |row: &Row| active.as_ref().is_none_or(|active| active.origin == row.origin);
        let target = generations::find(&transaction, &wanted).await?.filter(is_same_origin);
        let target = target.ok_or_else(|| match generation {
            Some(_) => WaitingTimesError::NoSuchGeneration(wanted),
            None => WaitingTimesError::NoEarlierGeneration,
        })?;
        if target.generation != pointer.generation {
            let expires = (now + KEPT_AFTER_SUPERSESSION).timestamp_micros();
            let (name, base) = (&target.generation, target.base_month_id);
            generations::activate(&transaction, name, base, now.timestamp_micros(), expires).await?;
        }
        transaction.commit().await?;
        self.take_up().await;
        Ok(target.generation)
    }

    /// Clears away the generations that have expired, and counts that nothing refers to any more. How many
    /// generations went. To be called now and then.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sweep_generations(&self) -> Result<usize, WaitingTimesError> {
        let now = self.clock.now().timestamp_micros();
        // A look costs next to nothing; taking the turn would hold up writers every time.
        if !generations::any_expired(self.db.read(), now).await? {
            return Ok(0);
        }
        let transaction = self.db.begin().await?;
        months::take_turn(&transaction).await?;
        let gone = generations::sweep(&transaction, now).await?;
        transaction.commit().await?;
        Ok(gone)
    }

    /// Loads what has just been switched to. If that fails, the switch stands, and the figures are taken up at the
    /// next look at the pointer.
    pub(crate) async fn take_up(&self) {
        if let Err(error) = self.refresh_if_changed().await {
            tracing::warn!(%error, "the generation switched to could not be loaded yet");
        }
    }
}
