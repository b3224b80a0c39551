//! The pages about waits, over HTTP: from the person's own wait to the same care elsewhere, and what strangers type.

use tests::Server;

const OWNER: &str = "Philomena Quarrybank";
const LIST: &str = "/waiting-times/look-up?provider=RRK&specialty=C_110&name=";
const COMPARE: &str = "/waiting-times/compare?specialty=C_110";

/// The addresses of links in a page.
fn links(body: &str) -> Vec<String> {
    let targets = body.split("<a ").skip(1).filter_map(|link| link.split_once("href=\"")?.1.split_once('"'));
    targets.map(|(target, _)| target.replace("&#38;", "&").replace("&amp;", "&")).collect()
}

#[tokio::test]
async fn from_the_own_wait_a_person_comes_to_the_same_care_elsewhere() {
    let server = Server::start().await;
    let mut owner = server.signed_in(OWNER).await;
    let page = owner.get("/waiting-times").await;
    assert_eq!(page.status, 200);
    for text in ["How much longer?", "for 8 in 10 people", "This is not a booking.", "Others on this list"] {
        assert!(page.body.contains(text), "{text}");
    }
    let compare =
        links(&page.body).into_iter().find(|link| link.starts_with(COMPARE)).expect("a way to compare");
    // Nothing but the care and whole weeks stands in the address.
    let weeks = compare.strip_prefix(&format!("{COMPARE}&weeks=")).expect("the weeks are filled in");
    assert!(weeks.parse::<u32>().is_ok_and(|weeks| weeks > 17), "{compare}");
    let mut anybody = server.browser();
    let page = anybody.get(&compare).await;
    assert_eq!(page.status, 200);
    let cells = page.body.matches("data-label=\"8 in 10 come off the list\"").count();
    assert!(cells >= 2, "{}", page.body);
    for link in links(&page.body).into_iter().filter(|link| link.starts_with('/')) {
        assert_eq!(anybody.get(&link).await.status, 200, "{link}");
    }
    server.stop().await;
}

#[tokio::test]
async fn who_asked_for_no_estimates_sees_none_until_they_ask_again() {
    let server = Server::start().await;
    let mut owner = server.signed_in(OWNER).await;
    for (value, shown) in [("no", false), ("no", false), ("yes", true)] {
        let reply = owner
            .submit("/account/preferences", &[("show_estimates", value), ("return_to", "/waiting-times")])
            .await;
        assert_eq!(reply.status, 303, "{}", reply.body);
        let page = owner.get("/waiting-times").await;
        assert_eq!(page.body.contains("How much longer?"), shown, "{value}");
        assert!(page.body.contains("If you are getting worse") && page.body.contains("Others on this list"));
    }
    server.stop().await;
}

#[tokio::test]
async fn what_strangers_type_is_shown_as_text_or_refused() {
    const HOSTILE: &str = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let server = Server::start().await;
    let mut anybody = server.browser();
    let long = "9".repeat(2_000);
    for (start, field) in [
        (LIST, "weeks"),
        (LIST, "day"),
        (LIST, "month"),
        (LIST, "year"),
        (LIST, "decided"),
        (COMPARE, "weeks"),
        ("/waiting-times/compare?weeks=20", "specialty"),
        ("/waiting-times/compare?specialty=C_110&weeks=20", "region"),
        ("/waiting-times/compare?specialty=C_110&weeks=20", "provider"),
        ("/waiting-times/compare?specialty=C_110&weeks=20", "after"),
    ] {
        for value in [HOSTILE, long.as_str(), "%00", "%FF", "-1", "NaN"] {
            let path = format!("{start}&{field}={value}");
            let page = anybody.get(&path).await;
            assert!([200, 400].contains(&page.status), "{} {path}", page.status);
            assert!(!page.body.contains("<script>alert"), "{path}");
        }
    }
    server.stop().await;
}
