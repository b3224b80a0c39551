//! People's referrals.

use chrono::DateTime;
use record_access::PatientId;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, Set,
};
use uuid::Uuid;

use super::entities::referral;
use super::months::{stored_provider, stored_treatment_function};
use crate::error::WaitingTimesError;
use crate::referral::{FiledReferral, Filing, Pathway, Referral, ReferralNotice, ReferralStatus};

/// The referrals in one patient's record.
pub(crate) async fn of_patient(
    db: &impl ConnectionTrait,
    patient: PatientId,
) -> Result<Vec<Referral>, WaitingTimesError> {
    let rows = referral::Entity::find().filter(referral::Column::PatientId.eq(patient.0)).all(db).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Referral {
                id: row.referral_id,
                provider: stored_provider(&row.provider_code)?,
                treatment_function: stored_treatment_function(&row.treatment_function)?,
                clock_start: row.clock_start,
                status: ReferralStatus::from_parts(&row.status, row.stopped_on)
                    .ok_or(WaitingTimesError::Inconsistent("a stored referral status does not read back"))?,
                pathway: Pathway::from_code(&row.pathway)
                    .ok_or(WaitingTimesError::Inconsistent("a stored referral pathway does not read back"))?,
            })
        })
        .collect()
}

/// Files a notice: a new referral, or a change to the one its source and identifier name.
pub(crate) async fn file(
    transaction: &impl ConnectionTrait,
    patient: PatientId,
    notice: &ReferralNotice,
    new_id: Uuid,
    now_micros: i64,
) -> Result<FiledReferral, WaitingTimesError> {
    let known = referral::Entity::find()
        .filter(referral::Column::Source.eq(notice.source.as_str()))
        .filter(referral::Column::FillerId.eq(notice.filler_id.as_str()))
        .one(transaction)
        .await?;
    let Some(known) = known else {
        row(patient, notice, new_id, now_micros).insert(transaction).await?;
        return Ok(FiledReferral { id: new_id, filing: Filing::Created });
    };
    if known.patient_id != patient.0 {
        return Err(WaitingTimesError::BelongsToAnotherPatient);
    }
    let id = known.referral_id;
    if DateTime::from_timestamp_micros(known.recorded_at_micros).is_some_and(|held| notice.recorded_at < held)
    {
        return Ok(FiledReferral { id, filing: Filing::Outdated });
    }
    let same = known.provider_code == notice.provider.as_str()
        && known.treatment_function == notice.treatment_function.as_str()
        && known.clock_start == notice.clock_start
        && known.status == notice.status.code()
        && known.pathway == notice.pathway.code()
        && known.stopped_on == notice.status.stopped_on();
    let filing = if same { Filing::Unchanged } else { Filing::Updated };
    let recorded = notice.recorded_at.timestamp_micros();
    if same && recorded == known.recorded_at_micros {
        return Ok(FiledReferral { id, filing });
    }
    let mut changed = known.into_active_model();
    changed.provider_code = Set(notice.provider.to_string());
    changed.treatment_function = Set(notice.treatment_function.to_string());
    changed.clock_start = Set(notice.clock_start);
    changed.status = Set(notice.status.code().to_owned());
    changed.stopped_on = Set(notice.status.stopped_on());
    changed.pathway = Set(notice.pathway.code().to_owned());
    changed.recorded_at_micros = Set(recorded);
    changed.updated_at_micros = Set(now_micros);
    changed.update(transaction).await?;
    Ok(FiledReferral { id, filing })
}

fn row(patient: PatientId, notice: &ReferralNotice, id: Uuid, now_micros: i64) -> referral::ActiveModel {
    referral::ActiveModel {
        patient_id: Set(patient.0),
        referral_id: Set(id),
        source: Set(notice.source.clone()),
        filler_id: Set(notice.filler_id.clone()),
        provider_code: Set(notice.provider.to_string()),
        treatment_function: Set(notice.treatment_function.to_string()),
        clock_start: Set(notice.clock_start),
        status: Set(notice.status.code().to_owned()),
        stopped_on: Set(notice.status.stopped_on()),
        recorded_at_micros: Set(notice.recorded_at.timestamp_micros()),
        updated_at_micros: Set(now_micros),
        pathway: Set(notice.pathway.code().to_owned()),
    }
}
