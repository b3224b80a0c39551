//! What can go wrong in this room.

use platform::ErrorKind;
use sea_orm::DbErr;

use crate::intake::refusal::ImportRefusal;
use crate::referral::NoticeFault;

/// Why a question could not be answered or a notice not be filed.
#[derive(Debug, thiserror::Error)]
pub enum WaitingTimesError {
    /// The database does not answer as it should.
    #[error("the database: {0}")]
    Db(#[from] DbErr),
    /// A stored value does not read back.
    #[error("the store is inconsistent: {0}")]
    Inconsistent(&'static str),
    /// No month of figures was ever imported.
    #[error("no published waiting-time figures have been loaded yet")]
    NoMonthImported,
    /// The month in use has no list for this provider and treatment function.
    #[error("the published figures have no list for this provider and treatment function")]
    NoFiguresForThisList,
    /// There is no generation of this name to go back to.
    #[error("there is no generation {0:?} to go back to")]
    NoSuchGeneration(String),
    /// No generation before the one in use is kept.
    #[error("no earlier generation is kept to go back to")]
    NoEarlierGeneration,
    /// No model was fitted yet.
    #[error("no estimates have been fitted yet")]
    NoEstimates,
    /// The place to go on from does not read.
    #[error("the position in the list of providers is not valid")]
    PositionInvalid,
    /// A referral notice says something that cannot be.
    #[error("the referral notice is not valid: {0}")]
    Notice(#[from] NoticeFault),
    /// The referral is known, and belongs to another patient. Nothing was changed.
    #[error("the referral belongs to another patient")]
    BelongsToAnotherPatient,
    /// An answer could not be written as JSON.
    #[error("the answer cannot be written: {0}")]
    Answer(#[from] serde_json::Error),
    /// Work on another thread was cut short.
    #[error("the work was interrupted")]
    Interrupted,
}

impl WaitingTimesError {
    /// The kind the caller is told.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Db(_) | Self::NoMonthImported | Self::NoEstimates => ErrorKind::StoreUnavailable,
            Self::NoFiguresForThisList | Self::NoSuchGeneration(_) | Self::NoEarlierGeneration => {
                ErrorKind::NotFound
            }
            Self::PositionInvalid => ErrorKind::CursorInvalid,
            Self::Notice(_) | Self::BelongsToAnotherPatient => ErrorKind::BodyInvalid,
            Self::Inconsistent(_) | Self::Answer(_) | Self::Interrupted => ErrorKind::Internal,
        }
    }
}

/// Why a file was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file was refused whole. What was stored before it stays.
    #[error(transparent)]
    Refused(#[from] ImportRefusal),
    /// The file was read; storing it failed, and nothing of it was kept.
    #[error(transparent)]
    Failed(#[from] WaitingTimesError),
    /// The file is stored; fitting failed, and the generation in use is the one that was.
    #[error("the file is stored, but its estimates could not be fitted: {0}")]
    NotFitted(WaitingTimesError),
}

impl From<DbErr> for ImportError {
    fn from(error: DbErr) -> Self {
        Self::Failed(error.into())
    }
}
