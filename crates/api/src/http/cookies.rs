//! The two cookies we set: the session's, and the one that binds a sign-in to its browser.

use axum::http::{HeaderMap, HeaderValue, header};

/// How cookies are named and marked.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    secure: bool,
}

impl Cookies {
    /// `secure` cookies carry the `__Host-` prefix, which binds them to this host, the whole of it, and
    /// encrypted connections (RFC 6265bis section 4.1.3.2).
    #[must_use]
    pub const fn new(secure: bool) -> Self {
        Self { secure }
    }

    /// The name of the session's cookie.
    #[must_use]
    pub const fn session(self) -> &'static str {
        if self.secure { "__Host-sid" } else { "sid" }
    }

    /// The name of the cookie that binds a sign-in to its browser.
    #[must_use]
    pub const fn login(self) -> &'static str {
        if self.secure { "__Host-login" } else { "login" }
    }

    /// A `Set-Cookie` value. `max_age` in seconds; none for a cookie that goes with the browser.
    #[must_use]
    pub fn set(self, name: &str, value: &str, max_age: Option<u64>) -> Option<HeaderValue> {
        let mut text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
        if self.secure {
            text.push_str("; Secure");
        }
        if let Some(seconds) = max_age {
            text.push_str("; Max-Age=");
            text.push_str(&seconds.to_string());
        }
        HeaderValue::from_str(&text).ok()
    }

    /// A `Set-Cookie` value that removes the cookie.
    #[must_use]
    pub fn clear(self, name: &str) -> Option<HeaderValue> {
        self.set(name, "", Some(0))
    }
}

/// The value of the cookie `name`. A browser sends each name once; where there are two, somebody planted
/// one, and neither is taken.
#[must_use]
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim_start().split_once('='))
        .filter(|(told, _)| *told == name)
        .map(|(_, value)| value);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_read_exactly_and_doubles_are_not_taken() {
        let headers = |lines: &[&str]| {
            let mut map = HeaderMap::new();
            for line in lines {
                map.append(header::COOKIE, HeaderValue::from_str(line).unwrap());
            }
            map
        };
        let name = "__Host-sid";
        assert_eq!(read(&headers(&["a=b; __Host-sid=x; c=d"]), name), Some("x"));
        assert_eq!(read(&headers(&["a=b", "__Host-sid=x"]), name), Some("x"));
        assert_eq!(read(&headers(&["x__Host-sid=x"]), name), None);
        assert_eq!(read(&headers(&["__Host-sid=x; __Host-sid=y"]), name), None);
        assert_eq!(read(&headers(&["__Host-sid=x", "__Host-sid=x"]), name), None);
    }

    #[test]
    fn the_host_prefix_comes_with_what_it_demands() {
        let set = Cookies::new(true).set("__Host-sid", "v", None).unwrap();
        assert_eq!(set.to_str().unwrap(), "__Host-sid=v; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(Cookies::new(false).session(), "sid");
    }
}
