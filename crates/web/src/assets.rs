//! What the pages load: one stylesheet, one icon, one script nobody needs; and the published method, for who wants to
//! read it. They are part of the binary.

use std::sync::LazyLock;

use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use platform::ErrorKind;
use platform::crypto::sha256_hex;

use crate::fault::PageFault;

/// A file that pages load. Its address names its content, so that browsers may keep it for a year and still
/// never use an old one.
pub(crate) struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
    version: LazyLock<String>,
}

macro_rules! asset {
    ($constant:ident, $name:literal, $media_type:literal) => {
        asset!($constant, $name, $media_type, concat!("../assets/", $name));
    };
    ($constant:ident, $name:literal, $media_type:literal, $path:expr) => {
        pub(crate) static $constant: Asset = Asset {
            name: $name,
            media_type: $media_type,
            content: include_str!($path),
            version: LazyLock::new(|| version_of($constant.content)),
        };
    };
}

asset!(STYLE, "style.css", "text/css; charset=utf-8");
asset!(ICON, "favicon.svg", "image/svg+xml");
asset!(SCRIPT, "session.js", "text/javascript; charset=utf-8");
asset!(
    METHOD,
    "waiting-time-method.txt",
    "text/plain; charset=utf-8",
    "../../../docs/waiting-time-method.md"
);

static ALL: [&Asset; 4] = [&STYLE, &ICON, &SCRIPT, &METHOD];

fn version_of(content: &str) -> String {
    sha256_hex(content.as_bytes()).chars().take(12).collect()
}

impl Asset {
    /// Where a page finds it.
    pub(crate) fn address(&self) -> String {
        format!("/assets/{}?v={}", self.name, *self.version)
    }
}

/// `GET /assets/{file}`.
pub(crate) async fn asset(
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageFault> {
    let asset = ALL.iter().find(|asset| asset.name == name).ok_or(ErrorKind::NotFound)?;
    let version = asset.version.as_str();
    let etag = format!("\"{version}\"");
    let named = query.as_deref().and_then(|query| query.strip_prefix("v=")) == Some(version);
    let kept = if named { "public, max-age=31536000, immutable" } else { "no-cache" };
    let about = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, kept.to_owned())];
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == etag || tag == "*");
    Ok(if known {
        (StatusCode::NOT_MODIFIED, about).into_response()
    } else {
        (about, [(header::CONTENT_TYPE, asset.media_type)], asset.content).into_response()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use axum::http::HeaderValue;

    use super::*;

    async fn fetch(name: &str, query: Option<&str>, known: Option<&str>) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(known) = known {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(known).unwrap());
        }
        asset(Path(name.to_owned()), RawQuery(query.map(str::to_owned)), headers).await.into_response()
    }

    #[tokio::test]
    async fn an_asset_is_kept_for_long_only_under_the_version_it_has() {
        let (_, query) = STYLE.address().split_once('?').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let current = fetch("style.css", Some(&query), None).await;
        assert_eq!(current.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(current.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        for other in [None, Some("v=000000000000"), Some("")] {
            assert_eq!(fetch("style.css", other, None).await.headers()[header::CACHE_CONTROL], "no-cache");
        }
    }

    #[tokio::test]
    async fn a_browser_that_has_it_is_told_so() {
        let etag = fetch("session.js", None, None).await.headers()[header::ETAG].to_str().unwrap().to_owned();
        for known in [etag.clone(), format!("\"other\", {etag}"), format!("W/{etag}"), "*".to_owned()] {
            let answer = fetch("session.js", None, Some(&known)).await;
            assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(answer.headers()[header::ETAG], etag.as_str());
        }
        assert_eq!(fetch("session.js", None, Some("\"other\"")).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn nothing_else_is_served() {
        for name in ["", "layout.html", "../Cargo.toml", "STYLE.CSS"] {
            assert_eq!(fetch(name, None, None).await.status(), StatusCode::NOT_FOUND, "{name}");
        }
    }

    #[test]
    fn the_script_stays_small_and_the_files_load_nothing_else() {
        assert!(SCRIPT.content.lines().count() < 60);
        for asset in [&STYLE, &ICON, &SCRIPT] {
            let content = asset.content.replace("http://www.w3.org/2000/svg", "");
            for outside in ["http:", "https:", "url(", "@import", "@font-face"] {
                assert!(!content.contains(outside), "{} holds {outside}", asset.name);
            }
        }
    }

    fn colours() -> HashMap<&'static str, [u8; 3]> {
        let root = STYLE.content.split_once(":root {").unwrap().1.split_once('}').unwrap().0;
        root.lines()
            .filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": #"))
            .map(|(name, hex)| {
                let channel = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                (name, [channel(0), channel(2), channel(4)])
            })
            .collect()
    }

    /// Relative luminance and contrast as WCAG 2.2 defines them.
    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let luminance = |colour: [u8; 3]| {
            let [r, g, b] = colour.map(|channel| {
                let c = f64::from(channel) / 255.0;
                if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
            });
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn the_contrast_of_black_on_white_is_21() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        assert!((contrast([118; 3], [255; 3]) - 4.54).abs() < 0.01);
    }

    #[test]
    fn text_stands_out_from_what_it_stands_on() {
        let colours = colours();
        for (text, behind) in [
            ("text", "page"),
            ("text", "surface"),
            ("text", "notice"),
            ("text", "success"),
            ("text-quiet", "page"),
            ("text-quiet", "surface"),
            ("link", "page"),
            ("link", "surface"),
            ("link", "notice"),
            ("link-visited", "page"),
            ("link-visited", "surface"),
            ("link-hover", "page"),
            ("link-hover", "surface"),
            ("header-text", "header"),
            ("button-text", "button"),
            ("button-text", "button-hover"),
            ("error", "surface"),
            ("error", "page"),
            ("focus-text", "focus"),
        ] {
            let found = contrast(colours[text], colours[behind]);
            assert!(found >= 4.5, "{text} on {behind}: {found:.2}");
        }
    }

    #[test]
    fn edges_that_mean_something_stand_out_too() {
        let colours = colours();
        for (edge, beside) in [
            ("field-line", "surface"),
            ("field-line", "page"),
            ("error", "page"),
            ("notice-edge", "notice"),
            ("notice-edge", "surface"),
            ("success-edge", "success"),
            ("focus-text", "page"),
            ("focus-text", "surface"),
            ("focus", "header"),
            ("button", "page"),
        ] {
            let found = contrast(colours[edge], colours[beside]);
            assert!(found >= 3.0, "{edge} beside {beside}: {found:.2}");
        }
    }

    #[test]
    fn every_colour_stands_in_the_table_and_is_used() {
        let (_, rules) = STYLE.content.split_once(":root {").unwrap().1.split_once('}').unwrap();
        assert!(!rules.contains('#'), "a colour or an id outside the table");
        for colour in ["rgb", "hsl", "white", "black"] {
            assert!(
                !rules.contains(&format!("{colour}(")) && !rules.contains(&format!(": {colour};")),
                "{colour}"
            );
        }
        let names = colours();
        assert!(names.len() > 15);
        for name in names.keys() {
            assert!(rules.contains(&format!("var(--{name})")), "{name} is not used");
        }
        for used in rules.split("var(--").skip(1).map(|rest| rest.split_once(')').unwrap().0) {
            assert!(names.contains_key(used), "{used} is not in the table");
        }
    }
}
