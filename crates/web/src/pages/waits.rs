//! The person's own referrals and waits.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use record_access::category;
use waiting_times::answers::MyWaitsAnswer;

use crate::WebState;
use crate::fault::PageFault;
use crate::shell::{Place, Shell, respond};
use crate::views::estimate::EstimateSection;
use crate::views::{self, ReferralView};
use crate::visit::{SignedIn, Visit};

#[derive(Template)]
#[template(path = "waits.html")]
pub(crate) struct WaitsPage {
    pub(crate) shell: Shell,
    pub(crate) intro: String,
    pub(crate) referrals: Vec<ReferralView>,
    pub(crate) estimates: Option<Estimates>,
}

/// Whether estimates are shown, where there is a wait to estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Estimates {
    Shown,
    Hidden,
}

impl WaitsPage {
    pub(crate) fn new(shell: Shell, answer: &MyWaitsAnswer) -> Self {
        let referrals: Vec<ReferralView> = answer.referrals.iter().map(views::referral).collect();
        let first = referrals.iter().find_map(|referral| referral.estimate.as_ref());
        let estimates = first.map(|estimate| match estimate {
            EstimateSection::Hidden => Estimates::Hidden,
            EstimateSection::Shown(_) => Estimates::Shown,
        });
        Self { shell, intro: views::intro(answer), referrals, estimates }
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
