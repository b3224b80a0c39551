//! Traces, where a collector is named: each request is a span, and the last ones leave before the process ends.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tests::{Browser, Process, fresh_store};

/// A collector that keeps what it is sent, and says that all is well.
fn collector() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = kept.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            let mut buffer = [0; 65_536];
            let mut told = Vec::new();
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                told.extend_from_slice(&buffer[..read]);
            }
            keep.lock().unwrap().extend_from_slice(&told);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    (address, kept)
}

fn holds(kept: &Mutex<Vec<u8>>, text: &str) -> bool {
    kept.lock().unwrap().windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_is_a_span_and_none_names_a_person() {
    let (endpoint, kept) = collector();
    let store = fresh_store().await;
    let mut process = Process::start(
        Command::new(env!("CARGO_BIN_EXE_front-door-under-test"))
            .arg("serve")
            .envs(store.environment())
            .env("FRONT_DOOR__TELEMETRY__OTLP_ENDPOINT", &endpoint),
    );
    let line = process.line(|line| line.starts_with("Front Door is at"));
    let base = line.split_whitespace().last().unwrap().trim_end_matches('/').to_owned();
    let mut browser = Browser::new(&base);
    browser.sign_in("Philomena Quarrybank").await;
    let id = "00000000-0000-4000-8000-000000001234";
    let reply = browser.api(reqwest::Method::GET, "/v1/waiting-times", &[("x-request-id", id)]).await;
    assert_eq!(reply.status, 200);
    let (_, code) = process.interrupt(Duration::from_secs(10));
    assert_eq!(code, Some(0), "{:?}", process.complained());
    for expected in ["front-door", "GET /v1/waiting-times", id] {
        assert!(holds(&kept, expected), "{expected} was not exported");
    }
    for person in ["Philomena", "Quarrybank", &browser.session().unwrap()] {
        assert!(!holds(&kept, person), "a trace names {person}");
    }
}
