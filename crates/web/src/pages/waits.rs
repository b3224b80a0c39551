//! The person's own referrals and waits.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use record_access::category;
use waiting_times::answers::MyWaitsAnswer;

use crate::WebState;
use crate::fault::PageFault;
use crate::shell::{Place, Shell, respond};
use crate::views::{self, ReferralView};
use crate::visit::{SignedIn, Visit};

#[derive(Template)]
#[template(path = "waits.html")]
pub(crate) struct WaitsPage {
    pub(crate) shell: Shell,
    pub(crate) intro: String,
    pub(crate) referrals: Vec<ReferralView>,
}

impl WaitsPage {
    pub(crate) fn new(shell: Shell, answer: &MyWaitsAnswer) -> Self {
        let referrals = answer.referrals.iter().map(views::referral).collect();
        Self { shell, intro: views::intro(answer), referrals }
    }
}

/// `GET /waiting-times`.
pub(crate) async fn waits(
    State(state): State<WebState>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, PageFault> {
    let opened =
        super::open::<category::WaitingTimes>(&state, &visit, &session, "page.waiting-times", Place::Waits);
    let access = match opened.await? {
        Ok(access) => access,
        Err(refused) => return Ok(refused),
    };
    let answer = state.waiting_times.my_waits_view(&access).await?;
    let shell = visit.shell(&state, "Waiting times", Place::Waits).await;
    respond(&WaitsPage::new(shell, &answer))
}
