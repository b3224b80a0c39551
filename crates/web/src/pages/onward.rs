//! The way from one of our forms to another site.

use askama::Template;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use platform::{ErrorKind, Fault};
use url::Url;

use crate::fault::PageFault;
use crate::shell::{Place, Shell, Visitor, respond};

#[derive(Template)]
#[template(path = "onward.html")]
struct OnwardPage<'a> {
    shell: Shell,
    to: &'a str,
}

/// The answer to a form that leads to another site: a page that goes there by itself, and has a link.
///
/// A redirect will not do: browsers hold every redirect of a form against `form-action 'self'`, and stop. A
/// refresh is a navigation of its own.
#[must_use]
pub fn onward_page(to: &Url, demonstration: bool) -> Response {
    page(to, demonstration).into_response()
}

fn page(to: &Url, demonstration: bool) -> Result<Response, PageFault> {
    let shell = Shell::new("Go on to the sign-in service", Place::Elsewhere, Visitor::Unknown)
        .demonstration(demonstration);
    let mut response = respond(&OnwardPage { shell, to: to.as_str() })?;
    let refresh = HeaderValue::from_str(&format!("0; url={to}"))
        .map_err(|_| Fault::new(ErrorKind::Internal).because("onward_address"))?;
    response.headers_mut().insert(header::REFRESH, refresh);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use http_body_util::BodyExt;

    use super::*;
    use crate::html_check::Page;

    #[tokio::test]
    async fn the_way_on_is_a_refresh_and_a_link() {
        let to = Url::parse("https://sign-in.example/authorize?a=b&c=%22%3Cscript%3E\"<").unwrap();
        let response = onward_page(&to, true);
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::REFRESH], format!("0; url={to}"));
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let html = response.into_body().collect().await.unwrap().to_bytes();
        let page = Page::read(std::str::from_utf8(&html).unwrap()).unwrap();
        assert_eq!(page.heading(), "Go on to the sign-in service");
        assert!(page.links_to(&to.as_str().replace('&', "&#38;")));
    }
}
