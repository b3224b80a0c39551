//! Who the signed-in person is.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::NaiveDate;
use platform::ErrorKind;
use platform::cache::Answer;
use record_access::{AccessContext, category};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::answer::{Keep, conditional};
use crate::http::extract::Ids;
use crate::http::guard::SignedIn;
use crate::http::problem::{ApiFault, Forbidden, Unauthorized, Unavailable, fault_of};

/// Who the person is, as their record here has it.
#[derive(Serialize, ToSchema)]
pub struct Profile {
    /// Given name or names.
    #[schema(example = "Isolde")]
    given_name: String,
    /// Family name.
    #[schema(example = "Quillfeather")]
    family_name: String,
    /// Date of birth.
    date_of_birth: NaiveDate,
    /// NHS number in force, ten digits.
    #[schema(example = "9990000018")]
    nhs_number: String,
}

/// The signed-in person's own details
///
/// As the record joined to the account has them, which may differ from what the sign-in provider says.
#[utoipa::path(
    get, path = "/v1/profile", operation_id = "getProfile", tag = "profile",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P9")), ("x-scope" = json!("profile.read"))),
    responses(
        (status = 200, description = "The details.", body = Profile,
         headers(("ETag" = String, description = "Strong entity tag."))),
        (status = 304, description = "The answer the caller holds is still right."),
        Unauthorized, Forbidden, Unavailable,
    )
)]
pub async fn get_profile(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Ids(ids): Ids,
    asked: HeaderMap,
) -> Result<Response, ApiFault> {
    let context = AccessContext { request_id: ids.request_id, operation: "getProfile" };
    let access = app
        .records
        .open::<category::Profile>(session.principal(), context)
        .await
        .map_err(|error| fault_of(error.kind(), &error))?;
    let details = app.patients.details(&access).await.map_err(|error| fault_of(error.kind(), &error))?;
    let number = app.patients.nhs_number(&access).await.map_err(|error| fault_of(error.kind(), &error))?;
    let profile = Profile {
        given_name: details.name.given,
        family_name: details.name.family,
        date_of_birth: details.birth_date,
        nhs_number: number.expose().to_owned(),
    };
    let answer = Answer::json(&profile).map_err(|error| fault_of(ErrorKind::Internal, &error))?;
    Ok(conditional(&answer, Keep::Private, &asked))
}
