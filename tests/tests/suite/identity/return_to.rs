//! Where people land: on this site, whatever the address said.

use tests::{Server, form_with};
use url::Url;

use super::world::people;

/// Shapes of public open-redirect lists, and of our own suspicion.
const HOSTILE: [&str; 66] = [
    "http://evil.example",
    "https://evil.example/",
    "HTTPS://EVIL.EXAMPLE",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "http:\\\\evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/////evil.example",
    "//evil.example/%2f..",
    "//evil.example%2f@127.0.0.1",
    "//127.0.0.1@evil.example",
    "//127.0.0.1:80@evil.example",
    "\\evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "/\\/evil.example",
    "\\/evil.example",
    "\\/\\/evil.example",
    "/\\\\evil.example",
    "//\\evil.example",
    "/%2fevil.example",
    "/%2Fevil.example",
    "/%2f%2fevil.example",
    "%2f%2fevil.example",
    "/%5cevil.example",
    "/%5Cevil.example",
    "/%5c%5cevil.example",
    "/%255cevil.example",
    "/%252fevil.example",
    "/%09/evil.example",
    "/%0a/evil.example",
    "/%0d/evil.example",
    "/%0d%0aLocation:%20https://evil.example",
    "/\r\nLocation: https://evil.example",
    "/\r\n\r\n<script>alert(1)</script>",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    " https://evil.example",
    "/ /evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/./\\evil.example",
    "/%2e%2e//evil.example",
    "/a/..//evil.example",
    "/a//evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "javascript://127.0.0.1/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "evil.example",
    ".evil.example",
    "@evil.example",
    ":80@evil.example",
    "?next=//evil.example",
    "#//evil.example",
    "/\u{2028}/evil.example",
    "/\u{a0}/evil.example",
    "\u{ff0f}\u{ff0f}evil.example",
    "/%c0%af%c0%afevil.example",
];

const HONEST: [&str; 5] = [
    "/",
    "/waiting-times",
    "/account/sessions",
    "/waiting-times/look-up?provider=RRK&treatment_function=C_110",
    "/session-ending#when",
];

/// Checks the address as it stands in the header, before and after a careless decoding on its way.
fn check_here(server: &Server, asked: &str, location: &str) {
    let base = Url::parse(&server.url()).expect("our address");
    assert!(location.starts_with('/') && !location.starts_with("//"), "{asked:?} led to {location:?}");
    assert!(!location.contains('\\') && !location.contains(['\r', '\n', '\t']), "{asked:?}: {location:?}");
    let went = base.join(location).expect("an address");
    assert_eq!(went.origin(), base.origin(), "{asked:?} led to {location:?}");
    let decoded: String = url::form_urlencoded::parse(
        format!("x={}", location.replace('+', "%2B").replace('&', "%26")).as_bytes(),
    )
    .next()
    .map(|(_, value)| value.into_owned())
    .unwrap_or_default();
    let went = base.join(&decoded).expect("an address");
    assert_eq!(went.origin(), base.origin(), "{asked:?}, decoded once, led to {decoded:?}");
}

#[tokio::test]
async fn case_10_no_return_to_leads_off_this_site() {
    let server = Server::start().await;
    let mut browser = server.browser();
    for asked in HOSTILE.iter().chain(&HONEST) {
        let query = url::form_urlencoded::byte_serialize(asked.as_bytes()).collect::<String>();
        let page = browser.visit(&format!("/auth/login?return_to={query}")).await;
        let reply = browser.choose_only(&page, people::P9).await;
        let callback = reply.location().expect("back to us");
        let headers = [("accept", "text/html")];
        let reply = browser.send(reqwest::Method::GET, callback, &headers, None).await;
        assert_eq!(reply.status, 303, "{asked:?}: {}", reply.body);
        check_here(&server, asked, reply.header("location"));
        if HONEST.contains(asked) {
            assert_eq!(reply.header("location"), *asked);
        }
    }
}

#[tokio::test]
async fn case_10_nor_does_that_of_a_form_or_a_page() {
    let server = Server::start().await;
    let mut browser = server.signed_in(people::P9).await;
    for asked in HOSTILE.iter().chain(&HONEST) {
        let reply = browser.submit("/auth/extend", &[("return_to", asked)]).await;
        assert_eq!(reply.status, 303, "{asked:?}: {}", reply.body);
        check_here(&server, asked, reply.header("location"));

        let query = url::form_urlencoded::byte_serialize(asked.as_bytes()).collect::<String>();
        let page = server.browser().get(&format!("/sign-in?return_to={query}")).await;
        assert_eq!(page.status, 200, "{asked:?}");
        assert!(
            !page.body.contains("evil.example") || check_links(&server, &page.body),
            "{asked:?}: {}",
            page.body
        );
    }
}

/// Whether every address in the page stays here.
fn check_links(server: &Server, html: &str) -> bool {
    let base = Url::parse(&server.url()).expect("our address");
    let addresses = ["href=\"", "action=\"", "value=\"", "src=\""]
        .iter()
        .flat_map(|marker| html.split(marker).skip(1))
        .filter_map(|rest| rest.split('"').next());
    addresses.filter_map(|told| base.join(told).ok()).all(|went| went.origin() == base.origin())
}

#[tokio::test]
async fn case_10_a_step_up_comes_back_to_this_site_too() {
    let server = Server::start().await;
    let mut browser = server.signed_in(people::P9).await;
    for asked in
        ["//evil.example", "/\\evil.example", "https://evil.example", "/%2f%2fevil.example", "/account"]
    {
        let begun = browser.submit("/auth/step-up", &[("return_to", asked)]).await;
        let page = browser.follow(begun).await;
        let _ = form_with(&page, "/choose");
        let chosen = browser.choose_only(&page, people::P9).await;
        let callback = chosen.location().expect("back to us");
        let reply = browser.send(reqwest::Method::GET, callback, &[("accept", "text/html")], None).await;
        assert_eq!(reply.status, 303, "{asked:?}: {}", reply.body);
        check_here(&server, asked, reply.header("location"));
        assert_eq!(reply.header("location") == "/account", asked == "/account");
    }
}
