//! What a person filled into the form for concerns, and whether it can be taken.

use record_access::concerns::{MAX_TEXT, NewConcern};
use serde::Deserialize;
use uuid::Uuid;

use crate::format;
use crate::views::CONCERN_CATEGORIES;

/// The fields of the form, as they were sent. `Debug` does not show the person's words.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ConcernForm {
    /// The part of the record, as the API names it.
    pub category: String,
    /// The referral it is about; blank for none.
    pub about: String,
    /// The person's own words.
    pub text: String,
    /// By which a form that was sent twice is known.
    pub idempotency_key: String,
}

impl std::fmt::Debug for ConcernForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConcernForm").field("category", &self.category).finish_non_exhaustive()
    }
}

/// What has to be put right, each as a sentence beside its field. Empty when nothing has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConcernErrors {
    /// About the part of the record.
    pub category: Option<String>,
    /// About the words, or about the form as a whole.
    pub text: Option<String>,
}

impl ConcernErrors {
    /// Whether there is nothing to put right.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.category.is_none() && self.text.is_none()
    }
}

impl ConcernForm {
    /// What the person wants to say, if everything is there. Browsers send line ends as two characters; here
    /// they are one, as the person counted.
    ///
    /// # Errors
    /// Every field that has to be put right, at once.
    pub fn check(&self) -> Result<NewConcern, ConcernErrors> {
        let mut errors = ConcernErrors::default();
        if !CONCERN_CATEGORIES.iter().any(|(code, _)| *code == self.category) {
            errors.category = Some("Choose what it is about".to_owned());
        }
        let text = self.text.replace("\r\n", "\n").trim().to_owned();
        let length = text.chars().count();
        if text.is_empty() {
            errors.text = Some("Write what looks wrong".to_owned());
        } else if length > MAX_TEXT {
            errors.text = Some(format!(
                "Write {} characters or fewer; now there are {}",
                format::count(u64::try_from(MAX_TEXT).unwrap_or(u64::MAX)),
                format::count(u64::try_from(length).unwrap_or(u64::MAX)),
            ));
        }
        let about = match self.about.as_str() {
            "" => None,
            id => match Uuid::try_parse(id) {
                Ok(id) => Some(id.to_string()),
                Err(_) => {
                    errors.text.get_or_insert_with(|| {
                        "We cannot tell which referral this is about. Start again without it".to_owned()
                    });
                    None
                }
            },
        };
        if errors.is_empty() {
            Ok(NewConcern { category: self.category.clone(), about, text })
        } else {
            Err(errors)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> ConcernForm {
        ConcernForm {
            category: "waiting-times".to_owned(),
            text: "The date is wrong.\r\nI was referred in May.".to_owned(),
            ..ConcernForm::default()
        }
    }

    #[test]
    fn a_whole_form_is_taken_with_its_line_ends_made_one() {
        let new = form().check().unwrap();
        assert_eq!(new.category, "waiting-times");
        assert_eq!(new.about, None);
        assert_eq!(new.text, "The date is wrong.\nI was referred in May.");
        let id = Uuid::from_u128(7).to_string();
        assert_eq!(ConcernForm { about: id.clone(), ..form() }.check().unwrap().about, Some(id));
    }

    #[test]
    fn everything_to_put_right_is_said_at_once() {
        let errors = ConcernForm::default().check().unwrap_err();
        assert!(errors.category.is_some() && errors.text.is_some());
        for category in ["", "waiting_times", "Other", "<script>"] {
            let errors = ConcernForm { category: category.to_owned(), ..form() }.check().unwrap_err();
            assert!(errors.category.is_some() && errors.text.is_none(), "{category}");
        }
        for text in ["", "  ", "\r\n\t"] {
            let errors = ConcernForm { text: text.to_owned(), ..form() }.check().unwrap_err();
            assert!(errors.category.is_none() && errors.text.is_some(), "{text:?}");
        }
        let errors = ConcernForm { about: "x' or 1=1".to_owned(), ..form() }.check().unwrap_err();
        assert!(errors.text.is_some());
    }

    #[test]
    fn length_is_counted_in_characters() {
        let of = |text: String| ConcernForm { text, ..form() }.check();
        assert!(of("\u{e9}".repeat(MAX_TEXT)).is_ok());
        assert!(of("\r\n".repeat(10) + &"a\r\n".repeat(MAX_TEXT / 2)).is_ok());
        let errors = of("a".repeat(MAX_TEXT + 1)).unwrap_err();
        assert_eq!(errors.text.unwrap(), "Write 2,000 characters or fewer; now there are 2,001");
    }

    #[test]
    fn debug_does_not_show_the_words() {
        assert!(!format!("{:?}", form()).contains("referred in May"));
    }
}
