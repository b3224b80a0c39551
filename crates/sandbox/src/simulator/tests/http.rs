//! The routes, called in the process.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

/// Names and values.
type Headers<'a> = &'a [(&'a str, &'a str)];

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Mounted as the api mounts it.
fn app(world: &World) -> Router {
    Router::new().nest("/simulator", world.simulator.router())
}

async fn call_from(
    world: &World,
    peer: Option<&str>,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(body.into()).unwrap();
    if let Some(peer) = peer {
        request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
    }
    app(world).oneshot(request).await.unwrap()
}

async fn call(
    world: &World,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Response {
    call_from(world, Some("127.0.0.1:50000"), method, path, headers, body).await
}

async fn text(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn json_of(response: Response) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

fn hidden_request(page: &str) -> String {
    let (_, rest) = page.split_once(r#"name="request" value=""#).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn location(response: &Response) -> String {
    response.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_whole_sign_in_over_the_pages() {
    let world = World::new();
    for method in ["GET", "POST"] {
        let form = authorize_form(&[("vtr", r#"["P9.Cp.Cd","P9.Cm"]"#)]);
        let response = if method == "GET" {
            call(&world, "GET", &format!("/simulator/authorize?{form}"), &[], Body::empty()).await
        } else {
            call(&world, "POST", "/simulator/authorize", &[FORM], form).await
        };
        assert_eq!(response.status(), StatusCode::OK);
        let page = text(response).await;
        let request = hidden_request(&page);
        assert!(page.contains(r#"action="/simulator/choose""#));

        // Fia is matched only: one page more, unless the check is done already.
        let chosen = super::form(&[("request", &request), ("person", "p5")]);
        let mut response = call(&world, "POST", "/simulator/choose", &[FORM], chosen).await;
        if method == "GET" {
            assert_eq!(response.status(), StatusCode::OK);
            let page = text(response).await;
            assert!(page.contains("Complete the identity check") && page.contains("Cancel"));
            let done = super::form(&[("request", &request), ("person", "p5"), ("answer", "complete")]);
            response = call(&world, "POST", "/simulator/choose", &[FORM], done).await;
        }
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let callback = query_of(&location(&response));

        let body = super::form(&[
            ("grant_type", "authorization_code"),
            ("code", &callback["code"]),
            ("redirect_uri", REDIRECT),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &world.assertion()),
        ]);
        let response = call(&world, "POST", "/simulator/token", &[FORM], body).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let tokens = json_of(response).await;
        let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
        let response =
            call(&world, "GET", "/simulator/userinfo", &[("authorization", &bearer)], Body::empty()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(json_of(response).await["sub"], "p5");
    }
}

#[tokio::test]
async fn discovery_says_what_there_is_and_bears_the_marker() {
    let world = World::new();
    let path = "/simulator/.well-known/openid-configuration";
    let document = json_of(call(&world, "GET", path, &[], Body::empty()).await).await;
    assert_eq!(document["issuer"], ISSUER);
    assert_eq!(document["simulator"], true);
    assert_eq!(document["token_endpoint"], TOKEN_ENDPOINT);
    assert_eq!(document["jwks_uri"], format!("{ISSUER}/.well-known/jwks.json"));
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS512"]));
    assert_eq!(document["token_endpoint_auth_methods_supported"], json!(["private_key_jwt"]));
    for absent in [
        "code_challenge_methods_supported",
        "end_session_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "backchannel_logout_supported",
        "authorization_response_iss_parameter_supported",
    ] {
        assert!(document.get(absent).is_none(), "{absent}");
    }
    let keys =
        json_of(call(&world, "GET", "/simulator/.well-known/jwks.json", &[], Body::empty()).await).await;
    let key = &keys["keys"][0];
    assert_eq!((&key["kty"], &key["alg"], &key["use"]), (&json!("RSA"), &json!("RS512"), &json!("sig")));
    for private in ["d", "p", "q", "dp", "dq", "qi"] {
        assert!(key.get(private).is_none(), "{private}");
    }
}

#[tokio::test]
async fn only_this_machine_is_answered() {
    let world = World::new();
    let path = "/simulator/.well-known/openid-configuration";
    let table = [
        (Some("127.0.0.1:1"), None, 200),
        (Some("127.8.8.8:1"), None, 200),
        (Some("[::1]:1"), None, 200),
        (Some("[::ffff:127.0.0.1]:1"), None, 200),
        (Some("127.0.0.1:1"), Some("127.0.0.1:8080"), 200),
        (Some("127.0.0.1:1"), Some("localhost"), 200),
        (Some("127.0.0.1:1"), Some("[::1]:8080"), 200),
        (Some("127.0.0.1:1"), Some("rebound.example:8080"), 403),
        (Some("127.0.0.1:1"), Some("127.0.0.1.evil.example"), 403),
        (Some("10.0.0.1:1"), None, 403),
        (Some("192.168.1.2:1"), Some("127.0.0.1:8080"), 403),
        (Some("[::ffff:10.0.0.1]:1"), None, 403),
        (Some("[2001:db8::1]:1"), None, 403),
        (None, None, 403),
    ];
    for (peer, host, expected) in table {
        let headers: Vec<_> = host.map(|host| ("host", host)).into_iter().collect();
        let response = call_from(&world, peer, "GET", path, &headers, Body::empty()).await;
        assert_eq!(response.status().as_u16(), expected, "{peer:?} {host:?}");
    }
    for path in ["/simulator/faults", "/simulator/style.css", "/simulator/none"] {
        let response = call_from(&world, Some("10.0.0.1:1"), "GET", path, &[], Body::empty()).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn every_error_of_the_token_endpoint_is_a_400_in_json() {
    let world = World::new();
    let big = "x".repeat(17 * 1024);
    let assertion = world.assertion();
    let unknown = super::form(&[
        ("grant_type", "authorization_code"),
        ("code", "unknown"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
    ]);
    let table: [(&str, Headers<'_>, &str, &str); 7] = [
        ("GET", &[], "", "invalid_request"),
        ("DELETE", &[], "", "invalid_request"),
        ("POST", &[], "grant_type=authorization_code", "invalid_request"),
        ("POST", &[("content-type", "application/json")], "{}", "invalid_request"),
        ("POST", &[FORM], &big, "invalid_request"),
        ("POST", &[FORM], "grant_type=authorization_code&code=x", "invalid_client"),
        ("POST", &[FORM], &unknown, "invalid_grant"),
    ];
    for (method, headers, body, expected) in table {
        let response = call(&world, method, "/simulator/token", headers, body.to_owned()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{method} {expected}");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let answer = json_of(response).await;
        assert_eq!(answer["error"], expected, "{method}");
        assert!(answer["error_description"].is_string());
    }
}

#[tokio::test]
async fn userinfo_wants_a_good_bearer_in_the_header() {
    let world = World::new();
    let tokens = world.exchange(&world.code("p9")).unwrap();
    let good = format!("Bearer {}", tokens.access_token);
    let basic = format!("Basic {}", tokens.access_token);
    let in_query = format!("/simulator/userinfo?access_token={}", tokens.access_token);
    let table: [(&str, Headers<'_>, u16); 5] = [
        ("/simulator/userinfo", &[("authorization", &good)], 200),
        ("/simulator/userinfo", &[], 401),
        ("/simulator/userinfo", &[("authorization", "Bearer x")], 401),
        ("/simulator/userinfo", &[("authorization", &basic)], 401),
        (&in_query, &[], 401),
    ];
    for (path, headers, expected) in table {
        let response = call(&world, "GET", path, headers, Body::empty()).await;
        assert_eq!(response.status().as_u16(), expected, "{headers:?}");
        if expected == 401 {
            assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
        }
    }
}

#[tokio::test]
async fn pages_have_one_heading_a_banner_and_nothing_that_runs() {
    let world = World::new();
    let authorize = |changes: &[(&str, &str)]| format!("/simulator/authorize?{}", authorize_form(changes));
    let pages = [
        (authorize(&[]), 200),
        (authorize(&[("client_id", "<script>alert(1)</script>")]), 400),
        ("/simulator/choose?request=%22%3E%3Cscript%3E".to_owned(), 410),
        ("/simulator/choose".to_owned(), 410),
        ("/simulator/no-such-page".to_owned(), 404),
    ];
    for (path, status) in pages {
        let response = call(&world, "GET", &path, &[], Body::empty()).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let page = text(response).await;
        assert_eq!(page.matches("<h1>").count(), 1, "{path}");
        assert!(page.contains("Sign-in simulator.") && page.contains("not a real sign-in service"), "{path}");
        assert!(page.contains(r#"<link rel="stylesheet" href="/simulator/style.css">"#));
        for active in ["<script", "<style", " style=", " onclick=", "javascript:"] {
            assert!(!page.contains(active), "{path} {active}");
        }
        assert!(!page.contains("9990000018"), "no NHS number on a page");
    }
    let style = call(&world, "GET", "/simulator/style.css", &[], Body::empty()).await;
    assert_eq!(style.headers()["content-type"], "text/css; charset=utf-8");
}

#[tokio::test]
async fn a_wrong_address_is_a_page_and_a_wrong_scope_a_redirect() {
    let world = World::new();
    let get = |changes: &[(&str, &str)]| format!("/simulator/authorize?{}", authorize_form(changes));
    let wrong = get(&[("redirect_uri", "http://evil.example/")]);
    let response = call(&world, "GET", &wrong, &[], Body::empty()).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(!response.headers().contains_key("location"));
    let response = call(&world, "GET", &get(&[("scope", "profile")]), &[], Body::empty()).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(query_of(&location(&response))["error"], "invalid_scope");
    let injected = get(&[("scope", "profile"), ("state", "x\r\nset-cookie: y")]);
    let response = call(&world, "GET", &injected, &[], Body::empty()).await;
    assert_eq!(query_of(&location(&response))["state"], "x\r\nset-cookie: y");
    assert!(!response.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn faults_are_set_over_json_and_over_the_page() {
    let world = World::new();
    let json_type = [("content-type", "application/json")];
    let post = |body: &str| body.to_owned();
    let path = "/simulator/faults";
    let response = call(&world, "POST", path, &json_type, post(r#"{"fail":{"discovery":503}}"#)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(json_of(response).await["faults"]["fail"]["discovery"], 503);
    let discovery = "/simulator/.well-known/openid-configuration";
    assert_eq!(call(&world, "GET", discovery, &[], Body::empty()).await.status(), 503);
    let report = json_of(call(&world, "GET", path, &[], Body::empty()).await).await;
    assert_eq!(report["calls"]["discovery"], 1);

    let refused: [(Headers<'_>, &str, u16); 4] = [
        (&json_type, r#"{"fail":{"discovery":200}}"#, 422),
        (&json_type, r#"{"fial":{}}"#, 422),
        (&json_type, "{", 400),
        (&[FORM], "reset=true", 415),
    ];
    for (headers, body, expected) in refused {
        let response = call(&world, "POST", path, headers, post(body)).await;
        assert_eq!(response.status().as_u16(), expected, "{body}");
        assert!(json_of(response).await["error"].is_string());
    }

    let request = world.begin(&[]).unwrap();
    let form = super::form(&[
        ("request", &request),
        ("action", "set"),
        ("slow_token", "3"),
        ("fail_jwks", "500"),
        ("fail_token", "0"),
        ("id_token_kid", "absent"),
        ("vot", "P9.Cp"),
        ("wrong_nonce", "yes"),
        ("consent_refusal", "description_only"),
        ("changed_number", "new"),
    ]);
    let response = call(&world, "POST", "/simulator/choose/faults", &[FORM], form).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&response), format!("{ISSUER}/choose?request={request}"));
    let faults = world.simulator.report().faults;
    let expected: FaultsChange = serde_json::from_value(json!({
        "slow_seconds": { "token": 3 },
        "fail": { "jwks": 500 },
        "id_token_kid": "absent",
        "vot": "P9.Cp",
        "wrong_nonce": true,
        "consent_refusal": "description_only",
        "changed_number": "new",
    }))
    .unwrap();
    let mut wanted = Faults::default();
    expected.apply(&mut wanted);
    assert_eq!(faults, wanted);
    let page =
        text(call(&world, "GET", &format!("/simulator/choose?request={request}"), &[], Body::empty()).await)
            .await;
    assert!(page.contains(r#"<option value="P9.Cp" selected>"#));

    let reset = super::form(&[("request", &request), ("action", "reset")]);
    call(&world, "POST", "/simulator/choose/faults", &[FORM], reset).await;
    assert_eq!(world.simulator.report().faults, Faults::default());
    // Without a request that is waiting, a form changes nothing.
    let forged = super::form(&[("request", "guess"), ("wrong_nonce", "yes")]);
    let response = call(&world, "POST", "/simulator/choose/faults", &[FORM], forged).await;
    assert_eq!(response.status(), StatusCode::GONE);
    assert_eq!(world.simulator.report().faults, Faults::default());
}

#[tokio::test]
async fn hostile_bytes_are_answered_not_fallen_over() {
    let world = World::new();
    let noise: Vec<u8> = (0..16_000).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let many = "a=b&".repeat(4_000);
    for path in [
        "/simulator/authorize",
        "/simulator/choose",
        "/simulator/choose/faults",
        "/simulator/token",
        "/simulator/faults",
    ] {
        for body in [noise.clone(), many.clone().into_bytes(), vec![b'%'; 16_000], vec![b'x'; 20_000]] {
            let response = call(&world, "POST", path, &[FORM], body).await;
            assert!(response.status().is_client_error(), "{path} {}", response.status());
        }
    }
    let long = format!("/simulator/authorize?state={}", "s".repeat(20_000));
    assert_eq!(call(&world, "GET", &long, &[], Body::empty()).await.status(), 414);
    let header = [("authorization", "Bearer \u{80}")];
    assert_eq!(call(&world, "GET", "/simulator/userinfo", &header, Body::empty()).await.status(), 401);
}

#[tokio::test(start_paused = true)]
async fn a_slow_endpoint_takes_its_time() {
    let world = World::new();
    world.fault(json!({ "slow_seconds": { "discovery": 7 } }));
    let started = tokio::time::Instant::now();
    call(&world, "GET", "/simulator/.well-known/openid-configuration", &[], Body::empty()).await;
    assert_eq!(started.elapsed().as_secs(), 7);
}

#[test]
fn a_registration_out_of_order_is_refused() {
    let good = || client("x", &client_key(), &["P9.Cp.Cd"]);
    let build = |client| {
        let config = SimulatorConfig {
            issuer: ISSUER.parse().unwrap(),
            clients: vec![client],
            people: people(),
            clock: Arc::new(platform::SystemClock),
            random: Arc::new(platform::OsRandom),
        };
        Simulator::with_key(config, signing_key()).map(|_| ())
    };
    assert!(build(good()).is_ok());
    let many = (0..11).map(|n| format!("https://a.example/{n}")).collect();
    let bad = [
        RegisteredClient { client_id: String::new(), ..good() },
        RegisteredClient { redirect_uris: vec![], ..good() },
        RegisteredClient { redirect_uris: many, ..good() },
        RegisteredClient { redirect_uris: vec!["/relative".into()], ..good() },
        RegisteredClient { redirect_uris: vec!["https://a.example/?q".into()], ..good() },
        RegisteredClient { redirect_uris: vec!["https://a.example/#f".into()], ..good() },
        RegisteredClient { redirect_uris: vec!["mailto:a@example.org".into()], ..good() },
        RegisteredClient { public_jwks: json!({ "keys": [] }), ..good() },
        RegisteredClient { public_jwks: json!([]), ..good() },
        RegisteredClient { vtr: vec!["P9.Cp".into()], ..good() },
        RegisteredClient { vtr: vec![], ..good() },
        RegisteredClient { scopes: vec!["everything".into()], ..good() },
    ];
    for (index, client) in bad.into_iter().enumerate() {
        assert!(matches!(build(client), Err(SimulatorError::Client { .. })), "{index}");
    }
}

#[tokio::test]
async fn over_a_real_socket_the_peer_is_known() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let world = World::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app(&world).into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(async move { axum::serve(listener, service).await });
    let ask = async |host: &str| {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /simulator/.well-known/openid-configuration HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = ask(&address.to_string()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#""simulator":true"#));
    assert!(ask("rebound.example").await.starts_with("HTTP/1.1 403"));
    server.abort();
}
