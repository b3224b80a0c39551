//! Request parameters as they came in: a query string or a form.

use url::form_urlencoded;

/// The parameters of one request, in order. Values are not trusted and not yet checked.
#[derive(Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

/// A parameter stands in the request more than once (RFC 6749 section 3.1 forbids it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeated;

/// More than any honest request has.
const MOST_PARAMETERS: usize = 64;

impl Params {
    /// Reads form encoding. Past the ceiling the rest is ignored, which the checks then find missing.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().take(MOST_PARAMETERS).collect())
    }

    /// The one value of `name`. An empty value counts as not sent (RFC 6749 section 3.1).
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated),
            (Some(""), None) | (None, None) => Ok(None),
            (Some(value), None) => Ok(Some(value)),
        }
    }

    /// The first value of `name`, for the simulator's own forms.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

/// `address` with these parameters added as a query string.
pub(crate) fn with_query(address: &str, pairs: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{address}?{query}")
}
