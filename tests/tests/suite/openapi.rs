//! The document of the API: as published, and true to the routes.

use std::path::Path;

use reqwest::Method;
use serde_json::Value;
use tests::Server;

/// Every operation of the document: its method, its path and what is said of it.
pub(crate) fn operations() -> Vec<(Method, String, Value)> {
    let document = front_door::openapi::document().expect("a document");
    let document: Value = serde_json::from_str(&document).expect("the document is JSON");
    let paths = document["paths"].as_object().expect("paths").clone();
    let mut found = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("a path item") {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            found.push((method, path.clone(), operation.clone()));
        }
    }
    found
}

#[test]
fn the_document_is_the_one_that_is_published() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api-spec/openapi.json");
    let published = std::fs::read_to_string(file).unwrap();
    let made = front_door::openapi::document().unwrap();
    assert!(
        published == made,
        "the API changed: look at `cargo run -q -- openapi | diff api-spec/openapi.json -`, \
         and publish with `cargo run -q -- openapi > api-spec/openapi.json`"
    );
}

#[test]
fn the_document_is_the_same_each_time_it_is_made() {
    let first = front_door::openapi::document().unwrap();
    assert!((0..20).all(|_| front_door::openapi::document().unwrap() == first));
}

#[test]
fn every_operation_says_what_it_is_and_what_it_needs() {
    let mut ids = std::collections::BTreeSet::new();
    for (method, path, operation) in operations() {
        let name = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap_or_default();
        assert!(!id.is_empty() && ids.insert(id.to_owned()), "{name} needs an operationId of its own");
        let text = |member: &str| operation[member].as_str().unwrap_or_default().trim().to_owned();
        assert!(!text("summary").is_empty(), "{name} has no summary");
        assert!(!text("description").is_empty(), "{name} has no description");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name} needs one tag");

        let security = operation["security"].as_array().unwrap_or_else(|| panic!("{name}: no security"));
        let assurance = operation["x-assurance"].as_str();
        if security.iter().any(|scheme| scheme.get("session").is_some()) {
            assert!(matches!(assurance, Some("P0" | "P9")), "{name}: x-assurance {assurance:?}");
            let scoped = operation["x-scope"].as_str().is_some_and(|scope| scope.contains('.'));
            assert_eq!(scoped, assurance == Some("P9"), "{name}: what opens a record names its scope");
        } else {
            assert_eq!(assurance, None, "{name} is open to all and has an assurance");
        }

        let unsafe_form = operation["requestBody"]["content"].get("application/x-www-form-urlencoded");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let takes_token = parameters.iter().any(|parameter| parameter["name"] == "X-CSRF-Token");
        if method != Method::GET {
            assert!(takes_token || unsafe_form.is_some(), "{name} says nothing of the session's token");
        }
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "path") {
            let named = format!("{{{}}}", parameter["name"].as_str().unwrap_or_default());
            assert!(path.contains(&named), "{name} has no {named}");
        }
        let answers = operation["responses"].as_object().unwrap_or_else(|| panic!("{name}: no responses"));
        assert!(answers.keys().any(|status| status.starts_with(['2', '3'])), "{name} never succeeds");
        for (status, answer) in answers.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            let has_form = answer["content"].as_object().is_some_and(|content| !content.is_empty());
            assert!(has_form, "{name}: {status} has no form");
        }
    }
    assert!(ids.len() > 20, "{ids:?}");
}

#[tokio::test]
async fn every_documented_path_is_there_and_takes_no_other_method() {
    let server = Server::start().await;
    let mut browser = server.browser();
    for (method, path, _) in operations() {
        let real = path.replace("{id}", &uuid::Uuid::nil().to_string()).replace("{provider}", "login");
        let reply = browser.api(method.clone(), &real, &[("accept", "application/json")]).await;
        assert!(!matches!(reply.status, 404 | 405), "{method} {path}: {} {}", reply.status, reply.body);
        let reply = browser.api(Method::TRACE, &real, &[("accept", "application/json")]).await;
        assert_eq!(reply.status, 405, "TRACE {path}: {}", reply.body);
        let allowed = reply.header("allow").to_owned();
        assert!(allowed.split(',').any(|told| told.trim() == method.as_str()), "{path}: Allow: {allowed}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_service_hands_out_the_document_and_shows_it() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let reply = browser.api(Method::GET, "/openapi.json", &[]).await;
    assert!(reply.body == front_door::openapi::document().unwrap(), "another document is handed out");
    assert_eq!(reply.header("content-type"), "application/json");
    let docs = browser.visit("/docs").await;
    assert_eq!(docs.status, 200);
    server.stop().await;
}
