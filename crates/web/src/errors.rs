//! What every kind of failure means to a person: what happened, and what they can do.

use askama::Template;
use platform::{ErrorKind, Fault, RequestIds};

use crate::shell::{Place, Shell, Visitor};

/// The words of an error page.
pub(crate) struct Words {
    pub(crate) heading: &'static str,
    pub(crate) happened: &'static [&'static str],
    pub(crate) to_do: &'static [&'static str],
    pub(crate) links: &'static [Link],
    /// Whether somebody may have come for something that cannot wait: the page then says whom to call.
    pub(crate) care: bool,
}

/// A way on from an error page.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    pub(crate) text: &'static str,
    pub(crate) href: &'static str,
}

const HOME: Link = Link { text: "Go to the home page", href: "/" };
const SIGN_IN: Link = Link { text: "Go to the sign-in page", href: "/sign-in" };
const ACCOUNT: Link = Link { text: "Go to your account", href: "/account" };
const HELP: Link = Link { text: "Get help", href: "/help" };
const LOOK_UP: Link =
    Link { text: "Look up a waiting list without signing in", href: "/waiting-times/look-up" };

const LATER: &str = "Wait a minute and try again.";
const CARE_ELSEWHERE: &str = "For anything about your care, call your GP surgery or the hospital.";

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: Shell,
    words: Words,
    detail: Option<&'a str>,
    reference: String,
}

/// The page for a fault, whoever asked. It claims neither that somebody is signed in nor that nobody is: it is
/// also made when that could not be found out.
#[must_use]
pub fn error_page(fault: &Fault, ids: &RequestIds) -> String {
    error_page_in(false, fault, ids)
}

/// [`error_page`], saying too where everybody is made up.
#[must_use]
pub fn error_page_in(demonstration: bool, fault: &Fault, ids: &RequestIds) -> String {
    let words = words(fault.kind);
    let shell = Shell::new(words.heading, Place::Elsewhere, Visitor::Unknown).demonstration(demonstration);
    let reference = ids.support_reference(fault.kind.area());
    let page = ErrorPage { shell, words, detail: fault.detail.as_deref(), reference };
    page.render().unwrap_or_else(|error| {
        tracing::error!(%error, "an error page could not be rendered");
        String::new()
    })
}

fn words(kind: ErrorKind) -> Words {
    match kind {
        ErrorKind::RequestMalformed => Words {
            heading: "We could not read this request",
            happened: &["What your browser sent us does not make sense to us."],
            to_do: &[
                "If you typed or pasted the address, check it.",
                "Otherwise start again from the home page.",
            ],
            links: &[HOME],
            care: false,
        },
        ErrorKind::ParameterInvalid => Words {
            heading: "A part of this address is missing or wrong",
            happened: &["The address leads to a page we have, but something after it cannot be right."],
            to_do: &[
                "If you typed or pasted the address, check it.",
                "Otherwise start again from the home page.",
            ],
            links: &[HOME, LOOK_UP],
            care: false,
        },
        ErrorKind::BodyInvalid => Words {
            heading: "We could not use what was sent",
            happened: &["Something in the form is missing or not as it should be. Nothing was changed."],
            to_do: &["Go back, check what you filled in, and send it again."],
            links: &[HOME],
            care: false,
        },
        ErrorKind::CursorInvalid => Words {
            heading: "This list cannot be continued from here",
            happened: &["The address says where in a list to go on, and that place cannot be read."],
            to_do: &["Start the list again from its beginning."],
            links: &[LOOK_UP, HOME],
            care: false,
        },
        ErrorKind::BodyTooLarge => Words {
            heading: "What you sent is too long",
            happened: &["It is longer than we can take. Nothing was changed."],
            to_do: &["Go back, make it shorter, and send it again."],
            links: &[HOME],
            care: false,
        },
        ErrorKind::UriTooLong => Words {
            heading: "This address is too long",
            happened: &["No page of ours has so long an address."],
            to_do: &["Start again from the home page."],
            links: &[HOME],
            care: false,
        },
        ErrorKind::HeadersTooLarge => Words {
            heading: "Your browser sent too much along with the request",
            happened: &["Mostly this is because of old cookies."],
            to_do: &["Delete the cookies of this site in your browser's settings, and try again."],
            links: &[HOME],
            care: false,
        },
        ErrorKind::MediaTypeUnsupported => Words {
            heading: "What was sent is of a kind we do not take",
            happened: &["We could not read it, and nothing was changed."],
            to_do: &["Use the forms on our pages to send something."],
            links: &[HOME],
            care: false,
        },
        ErrorKind::MethodNotAllowed => Words {
            heading: "This address cannot be used in this way",
            happened: &[
                "There is something at this address, but not for what your browser asked of it. Opening the address of a button by itself does this.",
            ],
            to_do: &["Go back to the page you came from and use the button there."],
            links: &[HOME],
            care: false,
        },
        ErrorKind::NotFound => Words {
            heading: "Page not found",
            happened: &["There is no page at this address, or none that you can open."],
            to_do: &["If you typed or pasted the address, check that all of it is there."],
            links: &[HOME, HELP],
            care: false,
        },
        ErrorKind::RequestTimeout => Words {
            heading: "Your request took too long to arrive",
            happened: &["We stopped waiting for the rest of it. Nothing was changed."],
            to_do: &["Check your connection and try again."],
            links: &[HOME],
            care: false,
        },
        ErrorKind::IdempotencyKeyReused => Words {
            heading: "This form was sent before, with other words",
            happened: &["What you sent the first time is kept. What you sent just now is not."],
            to_do: &["To add something, open the form again and send it as new."],
            links: &[Link { text: "See what you have told us", href: "/account/concerns" }],
            care: false,
        },
        ErrorKind::PreconditionRequired => Words {
            heading: "This change did not say what it starts from",
            happened: &["Nothing was changed."],
            to_do: &["Open the page again and make the change from there."],
            links: &[HOME],
            care: false,
        },
        ErrorKind::PreconditionFailed => Words {
            heading: "This was changed in the meantime",
            happened: &["It has changed since you opened the page, so your change was not made."],
            to_do: &["Open the page again, look at what it says now, and make the change from there."],
            links: &[HOME],
            care: false,
        },
        ErrorKind::TooManyRequests => Words {
            heading: "Too many requests in a short time",
            happened: &[
                "More was asked from where you are than we answer at once. Others may share your connection.",
            ],
            to_do: &[LATER],
            links: &[HOME],
            care: true,
        },
        ErrorKind::NotSignedIn => Words {
            heading: "Sign in to go on",
            happened: &[
                "You are not signed in, or your sign-in has ended. If you were sending something, it was not taken.",
            ],
            to_do: &["Sign in, and then try again."],
            links: &[SIGN_IN],
            care: false,
        },
        ErrorKind::AssuranceTooLow => Words {
            heading: "Prove who you are to go on",
            happened: &[
                "You are signed in, but the sign-in service has not told us with enough certainty who you are to open your record.",
            ],
            to_do: &[
                "On the page of your account there is a button that takes you to the sign-in service to prove it.",
            ],
            links: &[ACCOUNT],
            care: false,
        },
        ErrorKind::ScopeMissing => Words {
            heading: "This access was not granted",
            happened: &["The app you use was not given leave to open this part of your record."],
            to_do: &["Sign in on this site yourself to see it."],
            links: &[SIGN_IN, HELP],
            care: false,
        },
        ErrorKind::CsrfRefused => Words {
            heading: "We could not tell that this came from our own page",
            happened: &[
                "A form was sent without the sign by which we know our own pages. Nothing was changed.",
                "This happens when the page was open since before you last signed in, or when another site sent the form.",
            ],
            to_do: &["Open the page again and use its form again."],
            links: &[HOME],
            care: false,
        },
        ErrorKind::RecordNotLinked => Words {
            heading: "No record here is joined to your sign-in",
            happened: &[
                "We could not find the record that belongs to you, so we cannot show any. That does not say that hospitals hold nothing about you.",
            ],
            to_do: &[
                "Ask your GP surgery which name, date of birth and NHS number they hold for you, and correct what is wrong at the sign-in service.",
                CARE_ELSEWHERE,
            ],
            links: &[ACCOUNT, HELP],
            care: false,
        },
        ErrorKind::SignInAttemptInvalid => Words {
            heading: "This sign-in cannot be completed",
            happened: &[
                "It was begun too long ago, in another browser, or has been completed already. The back button or a saved address of the sign-in service can do this.",
                "If you were signed in before, you still are.",
            ],
            to_do: &["Begin again from our sign-in page, in this browser."],
            links: &[SIGN_IN],
            care: false,
        },
        ErrorKind::ConsentNotGiven => Words {
            heading: "You did not agree to share your details",
            happened: &[
                "The sign-in service asked whether it may share your details with us, and you did not agree. That is your choice, and nothing was shared.",
                "Without your name, date of birth and NHS number we cannot tell which record is yours, so we cannot sign you in.",
            ],
            to_do: &[
                "If you change your mind, sign in again and agree when the sign-in service asks.",
                "If you do not want to share them, call your GP surgery or the hospital about your referral instead.",
            ],
            links: &[SIGN_IN, LOOK_UP],
            care: true,
        },
        ErrorKind::SignInRefused => Words {
            heading: "The sign-in service did not sign you in",
            happened: &[
                "It ended the sign-in without telling us who you are. You may have cancelled it, or it could not check your details.",
            ],
            to_do: &["Try again.", "If it happens again, use the help of the sign-in service."],
            links: &[SIGN_IN, HELP],
            care: true,
        },
        ErrorKind::UnderAge => Words {
            heading: "You are too young to have an account of your own here",
            happened: &[
                "By the date of birth that the sign-in service gave us, you are younger than this service allows. Nothing was kept.",
            ],
            to_do: &[
                "Ask a parent, a guardian or your GP surgery about your appointments and your record.",
                "If your date of birth is wrong at the sign-in service, have it corrected there.",
            ],
            links: &[HELP],
            care: true,
        },
        ErrorKind::ProviderUnavailable => Words {
            heading: "The sign-in service is not working at the moment",
            happened: &[
                "You sign in at a separate service, and it cannot be reached or says that something is wrong there. It is not your fault.",
                "Whoever is signed in here already stays signed in.",
            ],
            to_do: &["Try again in a few minutes.", CARE_ELSEWHERE],
            links: &[SIGN_IN, LOOK_UP],
            care: true,
        },
        ErrorKind::ProviderTimeout => Words {
            heading: "The sign-in service did not answer in time",
            happened: &[
                "You sign in at a separate service. It is slow at the moment, and we stopped waiting for it. You are not signed in by this.",
            ],
            to_do: &[
                "Begin the sign-in again in a minute. A sign-in that was cut short cannot be taken up again.",
                CARE_ELSEWHERE,
            ],
            links: &[SIGN_IN, LOOK_UP],
            care: true,
        },
        ErrorKind::ProviderAnswerInvalid => Words {
            heading: "We could not accept what the sign-in service answered",
            happened: &[
                "What it told us about this sign-in failed one of our checks. To keep your record safe, we did not sign you in.",
            ],
            to_do: &[
                "Begin the sign-in again.",
                "If it happens again, get help and give the reference below.",
            ],
            links: &[SIGN_IN, HELP],
            care: true,
        },
        ErrorKind::AccessLogUnavailable => Words {
            heading: "Records cannot be opened at the moment",
            happened: &[
                "We write down every time a record is opened. That cannot be done at the moment, so no record is opened. Nothing is lost.",
            ],
            to_do: &[LATER, CARE_ELSEWHERE],
            links: &[LOOK_UP],
            care: true,
        },
        ErrorKind::StoreUnavailable => Words {
            heading: "This service is not available at the moment",
            happened: &[
                "We cannot reach what we keep. This page cannot tell you what is in your record and what is not. Nothing is lost.",
                "If you were signed in, you have not been signed out.",
            ],
            to_do: &[LATER, CARE_ELSEWHERE],
            links: &[HOME],
            care: true,
        },
        ErrorKind::AnswerTimeout => Words {
            heading: "This page took too long to make",
            happened: &[
                "Many people may be using the service at once. If you sent something, look whether it is there before you send it again.",
            ],
            to_do: &[LATER, CARE_ELSEWHERE],
            links: &[HOME],
            care: true,
        },
        ErrorKind::Internal => Words {
            heading: "Something went wrong on our side",
            happened: &[
                "It is not your fault. This page cannot tell you what is in your record and what is not.",
            ],
            to_do: &[
                "Try again. If it happens again, get help and give the reference below.",
                CARE_ELSEWHERE,
            ],
            links: &[HOME, HELP],
            care: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::*;
    use crate::html_check::Page;

    fn ids() -> RequestIds {
        RequestIds { request_id: Uuid::from_u128(5), correlation_id: None }
    }

    #[test]
    fn every_kind_has_a_whole_page_of_its_own() {
        let mut headings = HashSet::new();
        let mut texts = HashSet::new();
        for kind in ErrorKind::ALL {
            let html = error_page(&Fault::new(*kind), &ids());
            let page = Page::checked(&html);
            assert!(headings.insert(page.heading()), "{kind:?}: {}", page.heading());
            assert!(texts.insert(words(*kind).happened.join(" ")), "{kind:?}");
            assert_eq!(page.title(), format!("{} - Front Door", page.heading()));
            assert!(html.contains(&ids().support_reference(kind.area())), "{kind:?}");
            assert!(!words(*kind).to_do.is_empty() && !words(*kind).links.is_empty(), "{kind:?}");
        }
    }

    #[test]
    fn nobody_is_left_alone_where_care_may_be_at_stake() {
        for kind in ErrorKind::ALL {
            let html = error_page(&Fault::new(*kind), &ids());
            let needs =
                kind.status() >= 500 || matches!(kind, ErrorKind::ConsentNotGiven | ErrorKind::SignInRefused);
            assert!(!needs || words(*kind).care, "{kind:?}");
            assert!(html.contains("call 111") && html.contains("call 999"), "{kind:?}");
            assert_eq!(html.contains("Do not wait for this page"), words(*kind).care, "{kind:?}");
        }
    }

    #[test]
    fn a_detail_is_shown_as_text() {
        let fault = Fault::new(ErrorKind::ParameterInvalid).detail("<script>alert(1)</script>");
        let html = error_page(&fault, &ids());
        Page::checked(&html);
        assert!(!html.contains("<script>alert"));
        assert!(html.contains("alert(1)"));
    }

    #[test]
    fn reasons_for_the_log_stay_there() {
        let fault = Fault::new(ErrorKind::ProviderAnswerInvalid).because("id_token_nonce").at("/secret");
        let html = error_page(&fault, &ids());
        assert!(!html.contains("id_token_nonce") && !html.contains("/secret"));
    }

    #[test]
    fn a_demonstration_says_so_on_error_pages_too() {
        let fault = Fault::new(ErrorKind::Internal);
        let strip = "Demonstration with made-up people. Not a health service.";
        assert!(error_page_in(true, &fault, &ids()).contains(strip));
        assert!(!error_page(&fault, &ids()).contains(strip));
    }
}
