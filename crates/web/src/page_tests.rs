//! Every page, rendered from made-up views, read strictly.

use askama::Template;
use identity::{SessionId, SessionSummary};
use proptest::prelude::*;
use record_access::Assurance;
use uuid::Uuid;
use waiting_times::answers::{
    ATTRIBUTION, FiguresState, Freshness, MyWaitsAnswer, NO_FIGURES_FOR_THIS_LIST, NO_MONTH_IMPORTED,
    NOT_COMPUTED_FOR_PLANNED_CARE, NOT_COMPUTED_FOR_SUSPECTED_CANCER, ReferralAnswer, ReferralEstimate,
    ReferralState, ReferralStatistics, SourceKind, StatisticsAnswer, TOO_FEW_PATHWAYS, WeeksFigure,
};
use waiting_times::referral::Pathway;

use crate::concern_form::{ConcernErrors, ConcernForm};
use crate::html_check::{Page, TOKEN};
use crate::made_up::{
    at, available, concern, day, month, named, referral, signed_in, signed_out, statistics, too_few, who,
    without_numbers,
};
use crate::pages::account::{AccountPage, SessionsPage};
use crate::pages::concerns::ConcernsPage;
use crate::pages::plain::{
    AccessibilityPage, CookiesPage, HelpPage, HomePage, HowWeEstimatePage, SessionEndingPage, SignInPage,
    SignedOutPage,
};
use crate::pages::waits::WaitsPage;
use crate::pages::{Refused, RefusedPage};
use crate::shell::{Place, Shell, SignedInAs, Visitor};

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=y>";

fn rendered(page: &impl Template) -> (Page, String) {
    let html = page.render().unwrap();
    (Page::checked(&html), html)
}

fn waits(referrals: Vec<ReferralAnswer>) -> (Page, String) {
    let figures = FiguresState::NotImported { reason: NO_MONTH_IMPORTED };
    let answer = MyWaitsAnswer { as_of: day(2026, 11, 22), referrals, figures };
    rendered(&WaitsPage::new(signed_in(), &answer))
}

#[test]
fn a_signed_in_page_says_who_until_when_and_how_to_leave() {
    let (page, html) = rendered(&HomePage { shell: signed_in() });
    assert!(html.contains("Signed in as <bdi>Testa Madeup</bdi>"));
    assert!(html.contains("You will be signed out at 10:42 if you do nothing."));
    assert!(html.contains("Demonstration with made-up people. Not a health service."));
    assert_eq!(page.posts_to(), ["/auth/sign-out", "/auth/extend"]);
    assert_eq!(page.fields_of("/auth/extend")["csrf_token"], TOKEN);
    assert_eq!(page.fields_of("/auth/extend")["return_to"], "/account?a=b&#38;c=d");
    let strip = page.elements.iter().find(|it| it.get("id") == Some("session")).unwrap();
    assert_eq!((strip.get("data-seconds-left"), strip.get("data-ends-at")), (Some("1800"), Some("10:42")));
    assert_eq!(page.all("script").count(), 1);
    assert!(page.elements.iter().any(|it| it.get("role") == Some("status") && it.text.is_empty()));
}

#[test]
fn a_signed_out_page_offers_no_form_that_changes_something_and_no_script() {
    let (page, html) = rendered(&HomePage { shell: signed_out() });
    assert!(page.posts_to().is_empty());
    assert_eq!(page.all("script").count(), 0);
    assert!(!html.contains("Signed in") && !html.contains("Demonstration"));
    assert!(page.links_to("/sign-in"));
}

#[test]
fn at_the_end_of_the_longest_time_no_extension_is_offered() {
    let who = SignedInAs { can_extend: false, ..who(None) };
    let shell = Shell::new("A page", Place::Home, Visitor::SignedIn(who));
    let (page, html) =
        rendered(&SessionEndingPage { shell, latest_end: "3 February 2026 at 10:42".to_owned() });
    assert!(!page.posts_to().contains(&"/auth/extend"));
    assert!(html.contains("This sign-in cannot last longer"));
}

#[test]
fn the_place_one_is_at_is_marked_once() {
    let (page, _) = rendered(&HelpPage { shell: Shell::new("Help", Place::Help, Visitor::SignedOut) });
    let marked: Vec<_> = page.all("a").filter(|link| link.get("aria-current") == Some("page")).collect();
    assert_eq!(marked.len(), 1);
    assert_eq!(marked[0].text, "Help");
}

#[test]
fn the_plain_pages_are_whole_for_everybody() {
    for shell in [signed_in(), signed_out(), Shell::new("A page", Place::Elsewhere, Visitor::Unknown)] {
        rendered(&HomePage { shell: shell.clone() });
        rendered(&HelpPage { shell: shell.clone() });
        rendered(&HowWeEstimatePage { shell: shell.clone() });
        rendered(&CookiesPage { shell: shell.clone() });
        rendered(&AccessibilityPage { shell: shell.clone() });
        rendered(&SignedOutPage { shell: shell.clone() });
        rendered(&SignInPage { shell, return_to: "/waiting-times".to_owned() });
    }
}

/// A link, not a form: browsers hold a form's redirect to another site against `form-action 'self'`.
#[test]
fn signing_in_is_a_link_that_keeps_the_way_back() {
    let (page, _) =
        rendered(&SignInPage { shell: signed_out(), return_to: "/waiting-times?a=b&c=d".to_owned() });
    assert!(page.links_to("/auth/login?return_to=%2Fwaiting-times%3Fa%3Db%26c%3Dd"));
    assert_eq!(page.all("form").count(), 0);
}

#[test]
fn figures_come_with_their_date_age_source_and_meaning() {
    let official = available(statistics(Freshness::Current, SourceKind::Official));
    let (page, html) = waits(vec![referral(ReferralState::Waiting, official)]);
    for text in [
        "Trauma and Orthopaedic Service",
        "Oxford University Hospitals NHS Foundation Trust",
        "3 February 2026",
        "18.1 weeks",
        "12,345",
        "13.6 weeks",
        "40.4 weeks",
        "61 in 100",
        "31 January 2026",
        "295 days (about 10 months)",
        ATTRIBUTION,
        "Weeks are counted up to 22 November 2026",
        "They do not say how long is left for you",
        "If you get worse while you wait",
        "You have waited longer.",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("made up, for a demonstration") && !html.contains("These figures are old"));
    // The estimate's numbers, and the figures of the list.
    assert_eq!(page.all("table").count(), 2);
    let about = format!("/account/concerns?category=waiting-times&#38;about={}", Uuid::from_u128(9));
    let about = about.replace("&#38;", "&amp;");
    assert!(page.links_to(&about));
}

#[test]
fn no_promise_is_made() {
    let official = available(statistics(Freshness::Current, SourceKind::Official));
    let (_, html) = waits(vec![referral(ReferralState::Waiting, official)]);
    let said = html.to_lowercase();
    for promise in [
        "you will be seen",
        "you will be treated",
        "guarantee",
        "your place is",
        "weeks left",
        "expected date",
    ] {
        assert!(!said.contains(promise), "{promise}");
    }
}

#[test]
fn old_and_made_up_figures_say_so_before_the_figures() {
    let before = |html: &str, first: &str, second: &str| {
        let first = html.find(first).unwrap_or_else(|| panic!("{first} is not said"));
        assert!(first < html.find(second).unwrap());
    };
    let (_, html) = waits(vec![referral(
        ReferralState::Waiting,
        available(statistics(Freshness::Old, SourceKind::Official)),
    )]);
    before(&html, "These figures are old.", "13.6 weeks");
    let (_, html) = waits(vec![referral(
        ReferralState::Waiting,
        available(statistics(Freshness::Ageing, SourceKind::MadeUp)),
    )]);
    before(&html, "These figures are not the newest.", "13.6 weeks");
    before(&html, "These figures are made up, for a demonstration.", "13.6 weeks");
    assert!(html.contains("(made-up figures)") && !html.contains(ATTRIBUTION));
}

#[test]
fn a_list_too_short_and_a_list_unknown_each_say_why() {
    let (page, html) =
        waits(vec![referral(ReferralState::Waiting, ReferralStatistics::Suppressed { figures: too_few() })]);
    assert!(html.contains(TOO_FEW_PATHWAYS.text) && html.contains("fewer than 10 people"));
    assert_eq!(page.all("table").count(), 1);
    let old = StatisticsAnswer { month: month(Freshness::Old, SourceKind::Official), ..too_few() };
    let (_, html) =
        waits(vec![referral(ReferralState::Waiting, ReferralStatistics::Suppressed { figures: old })]);
    assert!(html.contains("These figures are old."));
    for reason in [NO_FIGURES_FOR_THIS_LIST, NO_MONTH_IMPORTED] {
        let (page, html) =
            waits(vec![referral(ReferralState::Waiting, ReferralStatistics::Unavailable { reason })]);
        assert!(html.contains(reason.text));
        assert_eq!(page.all("table").count(), 1);
    }
}

#[test]
fn the_open_band_is_never_a_number_of_weeks() {
    let over = Some(WeeksFigure { value: 104.0, open_ended: true });
    let figures = StatisticsAnswer {
        median_weeks: over,
        percentile_92_weeks: over,
        ..statistics(Freshness::Current, SourceKind::Official)
    };
    let (_, html) = waits(vec![referral(ReferralState::Waiting, available(figures))]);
    assert!(html.contains("Half of the people on this list, or more, had waited more than 104 weeks."));
    assert!(html.contains("8 in 100, or more, had waited more than 104 weeks."));
    assert!(!html.contains("104.0"));
}

#[test]
fn a_wait_that_has_ended_shows_its_end_and_no_list() {
    let official = available(statistics(Freshness::Current, SourceKind::Official));
    for (status, text) in [
        (ReferralState::Treated, "Treatment has begun"),
        (ReferralState::ClosedWithoutTreatment, "The wait ended without treatment"),
    ] {
        let (page, html) = waits(vec![referral(status, official.clone())]);
        assert!(
            html.contains(text)
                && html.contains("1 August 2026")
                && html.contains("Your wait has ended on 1 referral")
        );
        assert_eq!(page.all("table").count(), 0);
        assert!(!html.contains("You have waited longer."));
    }
}

#[test]
fn no_referral_here_is_not_no_referral() {
    let (_, html) = waits(Vec::new());
    assert!(html.contains("No hospital has sent this service a referral for you so far."));
    assert!(html.contains("That does not mean that you have not been referred."));
    assert!(!html.to_lowercase().contains("no referrals"));
}

#[test]
fn several_referrals_keep_a_page_whole() {
    let official = || available(statistics(Freshness::Old, SourceKind::Official));
    let (page, html) = waits(vec![
        referral(ReferralState::Waiting, official()),
        referral(ReferralState::Waiting, ReferralStatistics::Suppressed { figures: too_few() }),
        referral(ReferralState::Treated, official()),
    ]);
    assert!(html.contains("You are waiting on 2 referrals, and your wait has ended on 1"));
    assert_eq!(page.all("section").filter(|it| it.get("class") == Some("referral")).count(), 3);
}

#[test]
fn a_code_without_a_name_is_shown_as_a_code() {
    let mut unnamed = referral(
        ReferralState::Waiting,
        ReferralStatistics::Unavailable { reason: NO_FIGURES_FOR_THIS_LIST },
    );
    unnamed.provider.name = None;
    unnamed.treatment_function.name = None;
    let (_, html) = waits(vec![unnamed]);
    assert!(html.contains("Provider with the code RTH") && html.contains("Kind of care with the code C_110"));
}

#[test]
fn the_long_end_is_said_and_drawn_beside_its_numbers() {
    let official = available(statistics(Freshness::Current, SourceKind::Official));
    let (page, html) = waits(vec![referral(ReferralState::Waiting, official)]);
    let order = [
        "Between about 3 more weeks and 9 more months, for 8 in 10 people",
        "Of 10 people who have waited as long as you on this list:",
        "about 5 come off the list within 18 weeks",
        "about 1 waits longer than 9 months",
        "<svg",
        "The same in numbers",
        "What this counts, and what it does not",
        "Counting treatment only",
        "Whose figures these are, and how sure",
        "79 in 100 people came off the list",
        "If you are getting worse, tell your GP surgery",
        "You have waited longer.",
        "Others on this list",
    ];
    let places: Vec<_> =
        order.iter().map(|text| html.find(text).unwrap_or_else(|| panic!("{text}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(page.links_to("/waiting-times/compare?specialty=C_110&#38;weeks=18"));
    assert!(page.links_to(crate::views::NHS_CONSTITUTION) && page.links_to("/waiting-times/how-we-estimate"));
    let lines: Vec<_> = page.all("ul").filter(|list| list.get("class") == Some("of-ten")).collect();
    assert_eq!(lines[0].text.trim().lines().count(), 3);
}

#[test]
fn estimates_can_be_switched_off_and_on_by_a_form() {
    let official = available(statistics(Freshness::Current, SourceKind::Official));
    let shown = referral(ReferralState::Waiting, official);
    let mut hidden = shown.clone();
    hidden.estimate = crate::made_up::hidden();
    for (referral, value, button) in
        [(shown, "no", "Do not show me estimates"), (hidden.clone(), "yes", "Show estimates")]
    {
        let (page, html) = waits(vec![referral]);
        let fields = page.fields_of("/account/preferences");
        assert_eq!((fields["show_estimates"].as_str(), fields["csrf_token"].as_str()), (value, TOKEN));
        assert_eq!(fields["return_to"], "/waiting-times");
        assert!(page.all("button").any(|it| it.text == button));
        // Whom to tell and what to ask for is said either way.
        assert!(html.contains("If you are getting worse") && html.contains("You have waited longer."));
    }
    let (page, html) = waits(vec![hidden]);
    assert!(
        !html.contains("How much longer?") && !html.contains("of 10 people") && page.all("svg").count() == 0
    );
    assert!(html.contains("13.6 weeks"), "published figures are no estimates");
}

#[test]
fn care_that_no_list_describes_is_shown_beside_none() {
    for (pathway, reason) in [
        (Pathway::SuspectedCancer, NOT_COMPUTED_FOR_SUSPECTED_CANCER),
        (Pathway::Planned, NOT_COMPUTED_FOR_PLANNED_CARE),
    ] {
        let official = available(statistics(Freshness::Current, SourceKind::Official));
        let mut referral = referral(ReferralState::Waiting, official);
        referral.pathway = pathway;
        referral.estimate = ReferralEstimate::Shown(Box::new(without_numbers(reason)));
        let (page, html) = waits(vec![referral]);
        assert!(html.contains(reason.text) && html.contains("We can give no estimate here."));
        assert!(!html.contains("You have waited longer.") && !html.contains("13.6 weeks"));
        assert_eq!((page.all("table").count(), page.all("svg").count()), (0, 0));
        assert!(html.contains("If you are getting worse"));
    }
}

#[test]
fn a_refusal_says_what_to_do_and_never_that_there_is_nothing() {
    let page = |why| RefusedPage { shell: signed_in(), why, reference: "AC-346789".to_owned() };
    let (low, html) = rendered(&page(Refused::AssuranceTooLow));
    assert_eq!(low.fields_of("/auth/step-up")["csrf_token"], TOKEN);
    assert_eq!(low.fields_of("/auth/step-up")["return_to"], "/account?a=b&#38;c=d");
    assert!(html.contains("AC-346789"));
    let (unlinked, html) = rendered(&page(Refused::RecordNotLinked));
    assert!(!unlinked.posts_to().contains(&"/auth/step-up"));
    assert!(html.contains("This page says nothing about whether you have referrals."));
    assert!(!html.to_lowercase().contains("no referrals"));
    assert_ne!(low.heading(), unlinked.heading());
}

#[test]
fn the_account_offers_to_prove_more_only_to_those_who_have_not() {
    let page = |offer_step_up, linked| AccountPage {
        shell: signed_in(),
        name: Some("Testa Madeup".to_owned()),
        signed_in_at: "3 February 2026 at 09:00".to_owned(),
        latest_end: "3 February 2026 at 21:00".to_owned(),
        assurance: "P5",
        assurance_meaning: "A meaning",
        linked,
        offer_step_up,
    };
    let (low, _) = rendered(&page(true, true));
    assert_eq!(low.fields_of("/auth/step-up")["return_to"], "/account");
    let (high, html) = rendered(&page(false, false));
    assert!(!high.posts_to().contains(&"/auth/step-up"));
    assert!(html.contains("That says nothing about whether hospitals hold something about you."));
}

#[test]
fn sessions_can_be_ended_one_by_one_and_all_but_this() {
    let session = |id, device: &str| SessionSummary {
        id: SessionId(Uuid::from_u128(id)),
        device: device.to_owned(),
        created_at: at(9, 0),
        last_seen_at: at(9, 30),
        absolute_ends_at: at(21, 0),
        assurance: Assurance::P9,
    };
    let this = SessionId(Uuid::from_u128(1));
    let all = [session(2, "Firefox on Windows"), session(1, "Safari on iPhone")];
    let (page, html) = rendered(&SessionsPage::new(signed_in(), &all, this));
    assert_eq!(page.fields_of("/auth/sessions/end")["session"], Uuid::from_u128(2).to_string());
    assert!(page.posts_to().contains(&"/auth/sessions/end-others"));
    assert!(html.find("Safari on iPhone").unwrap() < html.find("Firefox on Windows").unwrap());
    let (page, html) = rendered(&SessionsPage::new(signed_in(), &all[1..], this));
    assert!(!page.posts_to().iter().any(|action| action.starts_with("/auth/sessions")));
    assert!(html.contains("You are signed in nowhere else."));
}

#[test]
fn a_form_to_put_right_says_so_in_title_summary_and_field_and_keeps_what_was_written() {
    let form = ConcernForm {
        text: "What I wrote\nbefore".to_owned(),
        category: "nonsense".to_owned(),
        idempotency_key: Uuid::from_u128(4).to_string(),
        ..ConcernForm::default()
    };
    let errors = form.check().unwrap_err();
    let (page, html) = rendered(&ConcernsPage::new(signed_in(), form, errors, &[], false));
    assert!(page.title().starts_with("Error: "));
    let summary = page.elements.iter().position(|it| it.get("class") == Some("error-summary")).unwrap();
    let heading = page.elements.iter().position(|it| it.name == "h1").unwrap();
    assert!(summary < heading);
    assert!(page.links_to("#category"));
    let select = page.all("select").next().unwrap();
    assert_eq!(
        (select.get("aria-invalid"), select.get("aria-describedby")),
        (Some("true"), Some("category-error"))
    );
    assert!(html.contains("What I wrote\nbefore</textarea>"));
    let fields = page.fields_of("/account/concerns");
    assert_eq!(fields["csrf_token"], TOKEN);
    assert_eq!(fields["idempotency_key"], Uuid::from_u128(4).to_string());
    for name in ["category", "about", "text"] {
        assert!(fields.contains_key(name), "{name}");
    }
}

#[test]
fn a_form_without_faults_has_a_plain_title_and_its_choice_made() {
    let form = ConcernForm { category: "profile".to_owned(), ..ConcernForm::default() };
    let (page, html) =
        rendered(&ConcernsPage::new(signed_in(), form, ConcernErrors::default(), &[concern("Wrong")], true));
    assert!(!page.title().starts_with("Error"));
    let chosen: Vec<_> =
        page.all("option").filter(|it| it.get("selected").is_some()).map(|it| it.get("value")).collect();
    assert_eq!(chosen, [Some("profile")]);
    assert!(html.contains("We have kept what you wrote.") && html.contains("Wrong"));
    assert!(html.contains("My referrals and waiting times: one referral"));
}

#[test]
fn what_strangers_and_people_write_stays_text() {
    let shell =
        || Shell::new(HOSTILE, Place::Home, Visitor::SignedIn(who(Some(HOSTILE)))).at(HOSTILE.to_owned());
    let mut hostile = referral(
        ReferralState::Waiting,
        available(StatisticsAnswer {
            provider: named("RTH", HOSTILE),
            treatment_function: named("C_110", HOSTILE),
            ..statistics(Freshness::Current, SourceKind::Official)
        }),
    );
    hostile.provider.name = Some(HOSTILE.to_owned());
    hostile.treatment_function.name = Some(HOSTILE.to_owned());
    let figures = FiguresState::NotImported { reason: NO_MONTH_IMPORTED };
    let answer = MyWaitsAnswer { as_of: day(2026, 11, 22), referrals: vec![hostile], figures };
    let form = ConcernForm {
        category: HOSTILE.to_owned(),
        about: HOSTILE.to_owned(),
        text: format!("</textarea>{HOSTILE}"),
        idempotency_key: HOSTILE.to_owned(),
    };
    let errors = form.check().unwrap_err();
    for html in [
        WaitsPage::new(shell(), &answer).render().unwrap(),
        ConcernsPage::new(shell(), form, errors, &[concern(HOSTILE)], false).render().unwrap(),
    ] {
        let html = html
            .replace("<script src=\"/assets/", "<kept src=\"/assets/")
            .replace("defer></script>", "defer></kept>");
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        assert!(Page::read(&html).is_ok());
    }
}

proptest! {
    #[test]
    fn any_name_and_any_words_leave_the_page_whole(name in "\\PC{0,60}", words in "(\\PC|\n){0,200}") {
        let shell = Shell::new("A page", Place::Home, Visitor::SignedIn(who(Some(&name))));
        let form = ConcernForm { text: words.clone(), ..ConcernForm::default() };
        let page = ConcernsPage::new(shell, form, ConcernErrors::default(), &[concern(&words)], false);
        let html = page.render().unwrap();
        let read = Page::read(&html).and_then(|page| page.check().map(|()| page));
        prop_assert!(read.is_ok(), "{:?}", read.err());
    }
}
