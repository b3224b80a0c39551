//! The tables as entities. Instants are microseconds since 1970, the same on both databases.

/// A month of figures that was imported; its counts are kept while it is live.
pub(crate) mod month {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "rtt_month")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub month_id: Uuid,
        pub period_month: Date,
        pub origin: String,
        #[sea_orm(column_name = "content_sha256")]
        pub content_sha256: String,
        pub layout: String,
        pub source_name: String,
        pub source_rows: i64,
        pub list_total: i64,
        pub imported_at_micros: i64,
        pub superseded_at_micros: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The counts of one provider, treatment function and part in one month.
pub(crate) mod count {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "rtt_count")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub month_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub part: i16,
        #[sea_orm(primary_key, auto_increment = false)]
        pub provider_code: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub treatment_function: String,
        pub bands: Option<Vec<u8>>,
        pub unknown_clock_start: i64,
        pub total: i64,
        pub non_english_bands: Option<Vec<u8>>,
        pub non_english_unknown_clock_start: i64,
        pub non_english_total: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A provider as a month names it.
pub(crate) mod organisation {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "rtt_organisation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub month_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub code: String,
        pub name: Option<String>,
        pub parent_code: Option<String>,
        pub parent_name: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A treatment function as a month names it.
pub(crate) mod treatment_function {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "rtt_treatment_function")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub month_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub code: String,
        pub name: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The pointer to the generation in use: always one row.
pub(crate) mod active {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "rtt_active")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub generation: String,
        pub month_id: Option<Uuid>,
        pub changed_at_micros: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A person's referral.
pub(crate) mod referral {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "referral")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub patient_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub referral_id: Uuid,
        pub source: String,
        pub filler_id: String,
        pub provider_code: String,
        pub treatment_function: String,
        pub clock_start: Date,
        pub status: String,
        pub stopped_on: Option<Date>,
        pub recorded_at_micros: i64,
        pub updated_at_micros: i64,
        pub pathway: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What the pointer may name: a month's statistics and the model fitted on it.
pub(crate) mod generation {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "rtt_generation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub generation: String,
        pub base_month_id: Uuid,
        pub origin: String,
        pub model_version: String,
        /// Names every chunk of the model with its checksum; null where there is no model.
        pub header: Option<Vec<u8>>,
        pub report_json: String,
        pub calibration_json: Option<String>,
        pub previous: Option<String>,
        pub created_at_micros: i64,
        pub superseded_at_micros: Option<i64>,
        pub expires_at_micros: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The part of a generation's model that is about one treatment function.
pub(crate) mod generation_chunk {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "rtt_generation_chunk")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub generation: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub treatment_function: String,
        pub bytes: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A fit that did not pass its checks, until a later one does.
pub(crate) mod fit_failure {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "rtt_fit_failure")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub failure_id: Uuid,
        /// The name the generation would have had.
        pub generation: String,
        pub inputs_json: String,
        pub failures_json: String,
        pub at_micros: i64,
        pub resolved_at_micros: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Whether a person wants to see estimates.
pub(crate) mod wait_preference {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "wait_preference")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub patient_id: Uuid,
        pub show_estimates: bool,
        pub updated_at_micros: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
