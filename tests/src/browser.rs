//! A browser without a screen: cookies, forms, and redirects followed one at a time.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The address that gave it.
    pub url: Url,
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body as text.
    pub body: String,
}

impl Reply {
    /// A header field, or blank.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }

    /// The problem's code.
    #[must_use]
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Every `Set-Cookie` field.
    #[must_use]
    pub fn set_cookies(&self) -> Vec<String> {
        let fields = self.headers.get_all("set-cookie").iter();
        fields.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    }

    /// Where it sends the browser: by a redirect, or by a page that leads on at once.
    #[must_use]
    pub fn location(&self) -> Option<Url> {
        let told = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        let onward = || told("refresh").and_then(|told| told.strip_prefix("0; url="));
        self.url.join(told("location").or_else(onward)?).ok()
    }
}

/// A browser: it keeps cookies by host, `Secure` ones too, as browsers do on this machine's own address.
#[derive(Debug, Clone)]
pub struct Browser {
    client: reqwest::Client,
    base: Url,
    /// Cookies by host and port, then by name.
    pub cookies: BTreeMap<String, BTreeMap<String, String>>,
    /// Every address it went to.
    pub visited: Vec<String>,
    /// Every answer it got, from whomever.
    pub seen: Vec<Reply>,
}

impl Browser {
    /// A browser at the address `base`.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let client = client();
        let base = Url::parse(base).expect("a base address");
        Self { client, base, cookies: BTreeMap::new(), visited: Vec::new(), seen: Vec::new() }
    }

    /// The session's secret, if the browser has one.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        self.cookie("__Host-sid")
    }

    /// A cookie of the server under test.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.get(&authority(&self.base))?.get(name).cloned()
    }

    /// Plants a cookie of the server under test.
    pub fn plant(&mut self, name: &str, value: &str) {
        let jar = self.cookies.entry(authority(&self.base)).or_default();
        jar.insert(name.to_owned(), value.to_owned());
    }

    /// Forgets a cookie of the server under test.
    pub fn forget(&mut self, name: &str) {
        if let Some(jar) = self.cookies.get_mut(&authority(&self.base)) {
            jar.remove(name);
        }
    }

    /// Gets a page; redirects are not followed.
    pub async fn get(&mut self, path: &str) -> Reply {
        let url = self.base.join(path).expect("an address");
        self.send(Method::GET, url, &[("accept", "text/html")], None).await
    }

    /// Gets a page, and goes wherever it sends the browser, at most ten times.
    pub async fn visit(&mut self, path: &str) -> Reply {
        let reply = self.get(path).await;
        self.follow(reply).await
    }

    /// Goes wherever `reply` sends the browser, at most ten times.
    pub async fn follow(&mut self, mut reply: Reply) -> Reply {
        for _ in 0..10 {
            let Some(next) = reply.location().filter(|_| reply.status < 400) else { return reply };
            reply = self.send(Method::GET, next, &[("accept", "text/html")], None).await;
        }
        panic!("too many redirects, last to {}", reply.url);
    }

    /// Asks the API for something.
    pub async fn api(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        let url = self.base.join(path).expect("an address");
        self.send(method, url, headers, None).await
    }

    /// Sends the API something, as our own pages would: with origin, token and JSON.
    pub async fn api_send(&mut self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        self.api_send_with(method, path, body, &[]).await
    }

    /// The same with more header fields.
    pub async fn api_send_with(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        more: &[(&str, &str)],
    ) -> Reply {
        let token = self.csrf_token().await;
        let origin = self.origin();
        let mut headers = vec![("origin", origin.as_str()), ("x-csrf-token", token.as_str())];
        headers.extend_from_slice(more);
        let bytes = body.map(|body| body.to_string().into_bytes());
        if bytes.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let url = self.base.join(path).expect("an address");
        self.send(method, url, &headers, bytes).await
    }

    /// The token that unsafe requests need.
    pub async fn csrf_token(&mut self) -> String {
        let reply = self.api(Method::GET, "/v1/session", &[]).await;
        reply.json()["csrf_token"].as_str().unwrap_or_default().to_owned()
    }

    /// The origin of the server under test.
    #[must_use]
    pub fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// Posts a form to `url` as a browser does from a page of the same site.
    pub async fn post_form(&mut self, url: Url, fields: &[(&str, &str)]) -> Reply {
        let origin = url.origin().ascii_serialization();
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [
            ("origin", origin.as_str()),
            ("sec-fetch-site", "same-origin"),
            ("accept", "text/html"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.send(Method::POST, url, &headers, Some(body.into_bytes())).await
    }

    /// Posts a form of one of our pages, with the session's token.
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let token = self.csrf_token().await;
        let mut all = vec![("csrf_token", token.as_str())];
        all.extend_from_slice(fields);
        let url = self.base.join(path).expect("an address");
        self.post_form(url, &all).await
    }

    /// One request, with whatever cookies belong to it; nothing is followed.
    pub async fn send(
        &mut self,
        method: Method,
        url: Url,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Reply {
        self.visited.push(url.to_string());
        let mut request = self.client.request(method, url.clone());
        if let Some(jar) = self.cookies.get(&authority(&url)).filter(|jar| !jar.is_empty()) {
            let line: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", line.join("; "));
        }
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::try_from(*name).expect("a header name"),
                HeaderValue::try_from(*value).expect("a header value"),
            );
        }
        request = request.headers(map);
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let body = answer.text().await.unwrap_or_default();
        let reply = Reply { url, status, headers, body };
        self.keep_cookies(&reply);
        self.seen.push(reply.clone());
        reply
    }

    fn keep_cookies(&mut self, reply: &Reply) {
        for line in reply.set_cookies() {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let gone = parts.any(|part| part.eq_ignore_ascii_case("max-age=0"));
            let jar = self.cookies.entry(authority(&reply.url)).or_default();
            if gone {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Signs in at the simulator as the made-up person called `name`, and lands on the home page.
    pub async fn sign_in(&mut self, name: &str) -> Reply {
        self.sign_in_to(name, "/").await
    }

    /// The same, landing on `return_to`.
    pub async fn sign_in_to(&mut self, name: &str, return_to: &str) -> Reply {
        let asked = url::form_urlencoded::byte_serialize(return_to.as_bytes()).collect::<String>();
        let choose = self.visit(&format!("/auth/login?return_to={asked}")).await;
        self.choose(&choose, name).await
    }

    /// At the simulator's page, chooses the made-up person called `name`, and follows to the end.
    pub async fn choose(&mut self, page: &Reply, name: &str) -> Reply {
        let reply = self.choose_only(page, name).await;
        self.follow(reply).await
    }

    /// The same, stopping before the first redirect is followed.
    pub async fn choose_only(&mut self, page: &Reply, name: &str) -> Reply {
        assert_eq!(page.status, 200, "not the simulator's page: {}", page.body);
        let (action, request) = form_with(page, "/choose");
        let person = button_value(&page.body, name);
        self.post_form(action, &[("request", &request), ("person", &person)]).await
    }
}

/// The one client of all browsers: making one reads the machine's trusted certificates, which takes longer than
/// a sign-in. It keeps no connections, so nothing passes from one browser, or one runtime, to another.
#[expect(clippy::disallowed_methods, reason = "the browser of the tests is an HTTP client by its nature")]
fn client() -> reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    let made = CLIENT.get_or_init(|| {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .user_agent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
            .build()
            .expect("an HTTP client")
    });
    made.clone()
}

/// The address of the page's form whose action ends with `ending`, and its hidden field `request`.
#[must_use]
pub fn form_with(page: &Reply, ending: &str) -> (Url, String) {
    let form = page
        .body
        .split("<form")
        .find(|form| attribute(form, "action").is_some_and(|action| action.ends_with(ending)))
        .unwrap_or_else(|| panic!("no form for {ending} in {}", page.body));
    let action = attribute(form, "action").unwrap_or_default();
    (page.url.join(&action).expect("the form's address"), hidden_field(form, "request"))
}

/// The value of the hidden field `name`.
#[must_use]
pub fn hidden_field(html: &str, name: &str) -> String {
    let marker = format!("name=\"{name}\"");
    let input = html
        .split("<input")
        .find(|input| input.contains(&marker))
        .unwrap_or_else(|| panic!("no field {name} in {html}"));
    attribute(input, "value").unwrap_or_default()
}

/// The value of the button that says `text`.
fn button_value(html: &str, text: &str) -> String {
    let button = html
        .split("<button")
        .find(|button| button.split('>').nth(1).is_some_and(|told| told.starts_with(text)))
        .unwrap_or_else(|| panic!("no button {text:?} in {html}"));
    attribute(button, "value").unwrap_or_default()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next()?;
    let rest = tag.split_once(&format!("{name}=\""))?.1;
    let value = rest.split('"').next()?;
    Some(value.replace("&#38;", "&").replace("&amp;", "&"))
}

fn authority(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(0))
}
