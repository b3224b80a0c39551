//! Where a person goes after signing in. The address comes from the browser, so it may lead anywhere; what
//! leaves here leads to a page of this site.

/// Where somebody goes who asked for no page, or for one we do not trust.
pub const HOME: &str = "/";

/// The longest address that is remembered, in bytes.
pub const LONGEST: usize = 512;

/// `asked` when it is a path on this site, else the home page, `/`.
///
/// A path on this site begins with exactly one `/` and holds no backslash and no control character, neither
/// as it stands nor after one percent-decoding: browsers read `/\host` and `//host` as another site, and
/// drop tabs and line breaks before they look.
#[must_use]
pub fn return_to(asked: Option<&str>) -> String {
    asked.filter(|path| stays_here(path)).unwrap_or(HOME).to_owned()
}

fn stays_here(path: &str) -> bool {
    path.len() <= LONGEST
        && harmless(path.as_bytes())
        && decoded(path.as_bytes()).is_some_and(|it| harmless(&it))
}

fn harmless(path: &[u8]) -> bool {
    path.first() == Some(&b'/')
        && !path.windows(2).any(|pair| pair == b"//")
        && path.iter().all(|byte| !matches!(byte, b'\\' | 0..=0x1f | 0x7f))
        // C1 controls and the Unicode line separators: no address of ours holds them.
        && std::str::from_utf8(path).is_ok_and(|text| {
            !text.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}'))
        })
}

/// Percent-decodes once. Nothing when an escape is broken: we make no such address.
fn decoded(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = if byte == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            // A space is the one control-like character an honest query may hold.
            match hex(digits[0])? * 16 + hex(digits[1])? {
                b' ' => out.push(b'+'),
                other => out.push(other),
            }
            tail
        } else {
            out.push(byte);
            tail
        };
    }
    Some(out)
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pages_of_this_site_are_kept() {
        for path in [
            "/",
            "/results",
            "/results/0199?tab=details",
            "/waiting-times?speciality=Trauma%20and%20Orthopaedics",
            "/a/b/c#part",
            "/search?q=caf%C3%A9",
            "/.well-known",
            "/results?next=a:b",
            "/@me",
        ] {
            assert_eq!(return_to(Some(path)), path);
        }
    }

    #[test]
    fn every_way_off_this_site_leads_home() {
        let hostile = [
            "",
            "results",
            "http://evil.example",
            "https://evil.example/",
            "HTTPS:evil.example",
            "//evil.example",
            "///evil.example",
            "////evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "\\\\evil.example",
            "/\\/evil.example",
            "/%2fevil.example",
            "/%2Fevil.example",
            "/%2f%2fevil.example",
            "%2f%2fevil.example",
            "/%5cevil.example",
            "/%5Cevil.example",
            "/a/%5c%5cevil.example",
            "/\tevil.example",
            "/\t/evil.example",
            "\t//evil.example",
            "/\n/evil.example",
            "/\r\nLocation: https://evil.example",
            "/%0d%0aLocation:%20https://evil.example",
            "/%09/evil.example",
            "/%0a/evil.example",
            "/%00/evil.example",
            "/\0",
            " //evil.example",
            " /evil",
            "/ /evil.example",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "@evil.example",
            "evil.example",
            ".evil.example",
            "?next=//evil.example",
            "#//evil.example",
            "/a//evil.example",
            "/a?next=//evil.example",
            "/a?next=https%3A%2F%2Fevil.example",
            "/..//evil.example",
            "/%2e%2e//evil.example",
            "/\u{2028}/evil.example",
            "/\u{a0}/evil.example",
            "/\u{85}",
            "/\u{feff}/evil.example",
            "/\u{7f}",
            "/%7f",
            "/%",
            "/%2",
            "/%zz",
            "/%+1",
            "/%ff",
            "/%c0%af%c0%afevil.example",
            "\u{ff0f}\u{ff0f}evil.example",
        ];
        assert!(hostile.len() >= 40);
        for path in hostile {
            assert_eq!(return_to(Some(path)), HOME, "{path:?}");
        }
        assert_eq!(return_to(None), HOME);
        assert_eq!(return_to(Some(&format!("/{}", "a".repeat(LONGEST)))), HOME);
        assert_ne!(return_to(Some(&format!("/{}", "a".repeat(LONGEST - 1)))), HOME);
    }

    proptest! {
        #[test]
        fn no_text_at_all_leaves_the_site(text in "(/|//|\\\\|%2f|%5C|%0a|[a-z:@?#.% ]|\\PC){0,24}") {
            let base = url::Url::parse("https://here.example/auth/callback/login").unwrap();
            let went = base.join(&return_to(Some(&text))).unwrap();
            prop_assert_eq!(went.origin(), base.origin());
            // And still after some middlebox decoded it once.
            let kept = return_to(Some(&text));
            let once = String::from_utf8(decoded(kept.as_bytes()).unwrap()).unwrap();
            prop_assert_eq!(base.join(&once).unwrap().origin(), base.origin());
        }
    }
}
