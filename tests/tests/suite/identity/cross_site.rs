//! Requests that other sites make a browser send.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Reply, Server};
use url::Url;

use super::store::{changed, snapshot};
use super::world::{SESSION, people, request_id, session, session_status};

struct Route {
    method: Method,
    path: String,
    /// Takes a form; else JSON or nothing.
    form: bool,
    body: bool,
}

/// Every unsafe route of the OpenAPI document.
fn unsafe_routes() -> Vec<Route> {
    let document: Value =
        serde_json::from_str(&front_door::openapi::document().expect("the document")).expect("JSON");
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let method: Method = method.to_uppercase().parse().expect("a method");
            if method == Method::GET || method == Method::HEAD {
                continue;
            }
            let content = &operation["requestBody"]["content"];
            routes.push(Route {
                method,
                path: path.clone(),
                form: content.get("application/x-www-form-urlencoded").is_some(),
                body: content.is_object(),
            });
        }
    }
    routes
}

/// One way of forging a request.
struct Forgery {
    about: &'static str,
    origin: Option<String>,
    site: Option<&'static str>,
    token: Option<String>,
}

#[tokio::test]
async fn case_09_no_unsafe_route_obeys_another_site() {
    let server = Server::start().await;
    let mut victim = server.signed_in(people::P9).await;
    let mut second = server.signed_in(people::P9).await;
    let mut attacker = server.signed_in(people::OTHER_P9).await;
    let other_session = session(&mut second).await["id"].as_str().expect("an id").to_owned();
    let own = victim.csrf_token().await;
    let foreign = attacker.csrf_token().await;
    let sibling = second.csrf_token().await;
    assert!(own != foreign && own != sibling, "each session has a token of its own");
    let origin = Some(server.url());
    let elsewhere = |text: &str| Some(text.to_owned());
    let forgeries = [
        Forgery { about: "no token", origin: origin.clone(), site: Some("same-origin"), token: None },
        Forgery { about: "an empty token", origin: origin.clone(), site: None, token: Some(String::new()) },
        Forgery { about: "another person's token", origin: origin.clone(), site: None, token: Some(foreign) },
        Forgery {
            about: "another session's token",
            origin: origin.clone(),
            site: None,
            token: Some(sibling),
        },
        Forgery {
            about: "a foreign origin",
            origin: elsewhere("https://evil.example"),
            site: None,
            token: Some(own.clone()),
        },
        Forgery {
            about: "a foreign origin that claims to be ours",
            origin: elsewhere("https://evil.example"),
            site: Some("same-origin"),
            token: Some(own.clone()),
        },
        Forgery {
            about: "another port",
            origin: elsewhere("http://127.0.0.1:1"),
            site: None,
            token: Some(own.clone()),
        },
        Forgery {
            about: "our origin as a prefix",
            origin: elsewhere(&format!("{}.evil.example", server.url())),
            site: None,
            token: Some(own.clone()),
        },
        Forgery {
            about: "a sandboxed frame",
            origin: elsewhere("null"),
            site: Some("cross-site"),
            token: Some(own.clone()),
        },
        Forgery { about: "no origin at all", origin: None, site: None, token: Some(own) },
    ];
    let routes = unsafe_routes();
    assert!(routes.len() >= 10, "{}", routes.len());
    let before = snapshot(&server).await;
    for route in &routes {
        for forgery in &forgeries {
            // With the token in the header, and in the field, and with a body no browser needs leave to send.
            for carrier in ["header", "field", "text"] {
                let reply = send(&mut victim, route, forgery, carrier, &other_session).await;
                let what = format!("{} {} with {} in the {carrier}", route.method, route.path, forgery.about);
                assert_eq!(reply.status, 403, "{what}: {}", reply.body);
                assert_eq!(reply.code(), "csrf_refused", "{what}");
                assert!(reply.set_cookies().is_empty(), "{what}");
            }
        }
        assert_eq!(changed(&before, &snapshot(&server).await), Vec::<String>::new(), "{}", route.path);
    }
    for browser in [&mut victim, &mut second, &mut attacker] {
        assert_eq!(session_status(browser).await, 200, "nobody was signed out");
    }
    assert!(victim.cookie(SESSION).is_some());
}

async fn send(
    victim: &mut tests::Browser,
    route: &Route,
    forgery: &Forgery,
    carrier: &str,
    other_session: &str,
) -> Reply {
    let path = route.path.replace("{id}", other_session);
    let url = Url::parse(&victim.origin()).expect("an address").join(&path).expect("an address");
    let mut headers = vec![("accept", "application/json"), ("idempotency-key", "forged-request")];
    if let Some(origin) = &forgery.origin {
        headers.push(("origin", origin));
    }
    if let Some(site) = forgery.site {
        headers.push(("sec-fetch-site", site));
    }
    let mut fields =
        vec![("category", "waiting-times"), ("text", "forged"), ("idempotency_key", "forged-request")];
    fields.extend([("session", other_session), ("return_to", "/account")]);
    if let Some(token) = &forgery.token {
        match carrier {
            "header" => headers.push(("x-csrf-token", token)),
            _ => fields.push(("csrf_token", token)),
        }
    }
    let form = || url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    let body = match carrier {
        "text" => {
            headers.push(("content-type", "text/plain"));
            Some(form())
        }
        "field" => {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
            Some(form())
        }
        _ if route.form => {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
            Some(form())
        }
        _ if route.body => {
            headers.push(("content-type", "application/json"));
            Some(json!({ "category": "waiting-times", "text": "forged" }).to_string())
        }
        _ => None,
    };
    victim.send(route.method.clone(), url, &headers, body.map(String::into_bytes)).await
}

#[tokio::test]
async fn case_09_the_same_requests_from_our_own_pages_are_obeyed() {
    // So that the table above cannot pass for want of a right request.
    let server = Server::start().await;
    let mut browser = server.signed_in(people::P9).await;
    let before = snapshot(&server).await;
    let body = json!({ "category": "waiting-times", "text": "This hospital is not mine." });
    let key = [("idempotency-key", "an-honest-request")];
    let reply = browser.api_send_with(Method::POST, "/v1/concerns", Some(&body), &key).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let fields =
        [("category", "waiting-times"), ("text", "Nor is this."), ("idempotency_key", "an-honest-form")];
    let reply = browser.submit("/account/concerns", &fields).await;
    assert_eq!(reply.status, 303, "{}", reply.body);
    let tables = changed(&before, &snapshot(&server).await);
    assert!(tables.iter().any(|table| table == "concern"), "{tables:?}");
}

#[tokio::test]
async fn without_a_session_nothing_unsafe_is_heard() {
    let server = Server::start().await;
    let before = snapshot(&server).await;
    let mut nobody = server.browser();
    for planted in [None, Some("A".repeat(43))] {
        if let Some(planted) = planted {
            nobody.plant(SESSION, &planted);
        }
        for route in unsafe_routes() {
            let forgery =
                Forgery { about: "", origin: Some(server.url()), site: None, token: Some("A".repeat(43)) };
            let reply = send(&mut nobody, &route, &forgery, "header", &request_id().to_string()).await;
            assert_eq!((reply.status, reply.code().as_str()), (401, "not_signed_in"), "{}", route.path);
        }
    }
    assert_eq!(changed(&before, &snapshot(&server).await), Vec::<String>::new());
}

#[tokio::test]
async fn methods_in_disguise_are_not_taken_for_others() {
    let server = Server::start().await;
    let mut browser = server.signed_in(people::P9).await;
    for (path, headers) in [
        ("/auth/sign-out?_method=POST", [("x-http-method-override", "POST"), ("accept", "application/json")]),
        (
            "/v1/session?_method=DELETE",
            [("x-http-method-override", "DELETE"), ("accept", "application/json")],
        ),
        ("/v1/sessions?_method=DELETE", [("x-method-override", "DELETE"), ("accept", "application/json")]),
    ] {
        let reply = browser.api(Method::GET, path, &headers).await;
        assert!(matches!(reply.status, 200 | 405), "{path}: {}", reply.status);
        assert_eq!(session_status(&mut browser).await, 200, "{path}");
    }
}
