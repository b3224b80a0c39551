//! What people want to be shown.

use record_access::PatientId;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Set};

use super::entities::wait_preference;
use crate::answers::PreferencesAnswer;

/// What a patient wants to be shown; the default until they have said.
pub(crate) async fn of_patient(
    db: &impl ConnectionTrait,
    patient: PatientId,
) -> Result<PreferencesAnswer, DbErr> {
    let row = wait_preference::Entity::find_by_id(patient.0).one(db).await?;
    Ok(row.map_or_else(PreferencesAnswer::default, |row| PreferencesAnswer {
        show_estimates: row.show_estimates,
    }))
}

/// Keeps what a patient wants to be shown.
pub(crate) async fn keep(
    transaction: &impl ConnectionTrait,
    patient: PatientId,
    preferences: PreferencesAnswer,
    now_micros: i64,
) -> Result<(), DbErr> {
    let row = wait_preference::ActiveModel {
        patient_id: Set(patient.0),
        show_estimates: Set(preferences.show_estimates),
        updated_at_micros: Set(now_micros),
    };
    let or_update = OnConflict::column(wait_preference::Column::PatientId)
        .update_columns([wait_preference::Column::ShowEstimates, wait_preference::Column::UpdatedAtMicros])
        .to_owned();
    wait_preference::Entity::insert(row).on_conflict(or_update).exec_without_returning(transaction).await?;
    Ok(())
}
