//! Finding a provider by what a person types: the beginning of its code, or of words in its name.

use std::collections::HashMap;

use crate::model::{OrganisationCode, ProviderCode};

/// The longest text searched for; what is beyond it is a mistake.
const LONGEST_QUERY: usize = 100;
/// The most words of a query that are looked at.
const MOST_WORDS: usize = 8;
/// Parts a cursor into [`ProviderPosition`]: no name holds a control character.
const POSITION_MARK: char = '\u{1f}';

/// A provider as it can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Provider {
    pub(crate) code: ProviderCode,
    pub(crate) name: Option<String>,
    pub(crate) parent_code: Option<OrganisationCode>,
    pub(crate) parent_name: Option<String>,
}

/// A place in the list of providers: it holds through any change of the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProviderPosition {
    folded_name: String,
    code: ProviderCode,
}

impl ProviderPosition {
    /// The place as text, for a cursor.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}{POSITION_MARK}{}", self.folded_name, self.code)
    }

    /// Reads a place that [`Self::to_text`] wrote.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let (name, code) = text.rsplit_once(POSITION_MARK)?;
        Some(Self { folded_name: name.to_owned(), code: ProviderCode::parse(code)? })
    }
}

/// The providers of a month in the order of their names.
#[derive(Debug, Default)]
pub(crate) struct ProviderIndex {
    in_order: Vec<(ProviderPosition, Provider)>,
    places: HashMap<ProviderCode, usize>,
}

impl ProviderIndex {
    pub(crate) fn new(providers: impl IntoIterator<Item = Provider>) -> Self {
        let mut in_order: Vec<_> = providers
            .into_iter()
            .map(|provider| {
                let folded_name = fold(provider.name.as_deref().unwrap_or_default());
                (ProviderPosition { folded_name, code: provider.code }, provider)
            })
            .collect();
        in_order.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let places =
            in_order.iter().enumerate().map(|(place, (_, provider))| (provider.code, place)).collect();
        Self { in_order, places }
    }

    pub(crate) fn get(&self, code: ProviderCode) -> Option<&Provider> {
        self.places.get(&code).and_then(|place| self.in_order.get(*place)).map(|(_, provider)| provider)
    }

    /// At most `limit` providers that match `query`, after the place `after`, and the place of the last of them if
    /// more follow.
    pub(crate) fn find(
        &self,
        query: &str,
        after: Option<&ProviderPosition>,
        limit: usize,
    ) -> (Vec<&Provider>, Option<ProviderPosition>) {
        let query = Query::new(query);
        let start = after.map_or(0, |after| self.in_order.partition_point(|(position, _)| position <= after));
        let mut matching = self
            .in_order
            .iter()
            .skip(start)
            .filter(|(position, provider)| query.matches(&position.folded_name, provider.code));
        let found: Vec<_> = matching.by_ref().take(limit).collect();
        let next =
            if matching.next().is_some() { found.last().map(|(position, _)| position.clone()) } else { None };
        (found.into_iter().map(|(_, provider)| provider).collect(), next)
    }
}

/// What is looked for, folded as names are.
struct Query {
    folded: String,
}

impl Query {
    fn new(text: &str) -> Self {
        Self { folded: fold(&text.chars().take(LONGEST_QUERY).collect::<String>()) }
    }

    /// Whether the code begins with the query, or each of its words begins a word of the name.
    fn matches(&self, folded_name: &str, code: ProviderCode) -> bool {
        if code.as_str().starts_with(self.folded.as_str()) {
            return true;
        }
        self.folded
            .split(' ')
            .take(MOST_WORDS)
            .all(|word| folded_name.split(' ').any(|of_name| of_name.starts_with(word)))
    }
}

/// Capitals, words parted by one blank, apostrophes left out: "St George's" becomes "ST GEORGES".
fn fold(text: &str) -> String {
    let without: String = text.chars().filter(|letter| !matches!(letter, '\'' | '\u{2019}')).collect();
    let words: Vec<String> = without
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_uppercase)
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> ProviderIndex {
        let providers = [
            ("RJ7", Some("ST GEORGE'S UNIVERSITY HOSPITALS NHS FOUNDATION TRUST")),
            ("RTH", Some("OXFORD UNIVERSITY HOSPITALS NHS FOUNDATION TRUST")),
            ("NT447", Some("DUCHY HOSPITAL")),
            ("NVC04", Some("DUCHY HOSPITAL")),
            ("RXX", None),
        ];
        ProviderIndex::new(providers.map(|(code, name)| Provider {
            code: ProviderCode::parse(code).unwrap(),
            name: name.map(str::to_owned),
            parent_code: None,
            parent_name: None,
        }))
    }

    fn codes(query: &str) -> Vec<String> {
        index().find(query, None, 100).0.iter().map(|provider| provider.code.to_string()).collect()
    }

    #[test]
    fn a_provider_is_found_by_code_or_by_the_beginnings_of_words() {
        for (query, want) in [
            ("rt", vec!["RTH"]),
            ("oxf", vec!["RTH"]),
            ("george's", vec!["RJ7"]),
            ("Georges univ", vec!["RJ7"]),
            ("univ", vec!["RTH", "RJ7"]),
            ("duchy", vec!["NT447", "NVC04"]),
            ("xford", vec![]),
            ("duchy trust", vec![]),
            ("", vec!["RXX", "NT447", "NVC04", "RTH", "RJ7"]),
            ("  ' ", vec!["RXX", "NT447", "NVC04", "RTH", "RJ7"]),
        ] {
            assert_eq!(codes(query), want, "{query:?}");
        }
    }

    #[test]
    fn pages_follow_one_another_without_gap_or_repeat() {
        let index = index();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = index.find("", after.as_ref(), 2);
            seen.extend(page.iter().map(|provider| provider.code.to_string()));
            let Some(next) = next else { break };
            after = ProviderPosition::from_text(&next.to_text());
            assert_eq!(after.as_ref(), Some(&next));
        }
        assert_eq!(seen, ["RXX", "NT447", "NVC04", "RTH", "RJ7"]);
        assert_eq!(ProviderPosition::from_text("no mark"), None);
    }

    #[test]
    fn a_provider_without_a_name_is_still_there() {
        assert_eq!(index().get(ProviderCode::parse("RXX").unwrap()).unwrap().name, None);
        assert!(index().get(ProviderCode::parse("ZZZ").unwrap()).is_none());
    }
}
