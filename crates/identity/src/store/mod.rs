//! The tables of this room. Instants are microseconds since 1970, the same on both databases.

pub(crate) mod accounts;
pub(crate) mod attempts;
pub(crate) mod sessions;

use chrono::{DateTime, Utc};

/// An instant as it is kept.
pub(crate) fn from_micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
}

/// An account.
pub(crate) mod account {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "account")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account_id: Uuid,
        pub created_at_micros: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The identity at a provider that an account stands for.
pub(crate) mod account_identity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "account_identity")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub issuer: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub subject: String,
        pub account_id: Uuid,
        pub patient_id: Option<Uuid>,
        pub number_mac: Option<Vec<u8>>,
        pub name_key_id: Option<String>,
        pub name_sealed: Option<Vec<u8>>,
        pub created_at_micros: i64,
        pub last_sign_in_at_micros: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A session.
pub(crate) mod session {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "session")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub session_id: Uuid,
        pub token_hash: Vec<u8>,
        pub account_id: Uuid,
        pub patient_id: Option<Uuid>,
        pub assurance: String,
        pub vot: String,
        pub id_token_jti: Option<String>,
        pub issuer: String,
        pub device: String,
        pub authenticated_at_micros: i64,
        pub created_at_micros: i64,
        pub last_seen_at_micros: i64,
        pub rotated_at_micros: i64,
        pub absolute_ends_at_micros: i64,
        pub ended_at_micros: Option<i64>,
        pub end_reason: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A sign-in under way.
pub(crate) mod sign_in_attempt {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "sign_in_attempt")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub state_hash: Vec<u8>,
        pub browser_hash: Vec<u8>,
        pub nonce: String,
        pub pkce_verifier: String,
        pub provider: String,
        pub issuer: String,
        pub vtr: String,
        pub return_to: String,
        pub purpose: String,
        pub session_id: Option<Uuid>,
        pub created_at_micros: i64,
        pub expires_at_micros: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
