//! The scopes the provider has, and which claims each one opens.

/// A scope a client can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scope {
    OpenId,
    Profile,
    BasicDemographics,
    ProfileExtended,
    Email,
    Phone,
    Landline,
    GpRegistrationDetails,
    GpIntegrationCredentials,
    ClientMetadata,
    NhsAppCredentials,
}

impl Scope {
    pub(crate) const ALL: [Self; 11] = [
        Self::OpenId,
        Self::Profile,
        Self::BasicDemographics,
        Self::ProfileExtended,
        Self::Email,
        Self::Phone,
        Self::Landline,
        Self::GpRegistrationDetails,
        Self::GpIntegrationCredentials,
        Self::ClientMetadata,
        Self::NhsAppCredentials,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OpenId => "openid",
            Self::Profile => "profile",
            Self::BasicDemographics => "basic_demographics",
            Self::ProfileExtended => "profile_extended",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Landline => "landline",
            Self::GpRegistrationDetails => "gp_registration_details",
            Self::GpIntegrationCredentials => "gp_integration_credentials",
            Self::ClientMetadata => "client_metadata",
            Self::NhsAppCredentials => "nhs_app_credentials",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// The scopes as one space-separated text.
pub(crate) fn join(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}
