//! What the provider sends, as types of the `openidconnect` crate. Its many type parameters are settled here
//! and nowhere else.

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClaimName, CoreClaimType, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGenderClaim, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreSubjectIdentifierType,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AdditionalProviderMetadata, Client, EmptyExtraTokenFields, EndpointNotSet, EndpointSet,
    IdToken, IdTokenClaims, IdTokenFields, ProviderMetadata, StandardErrorResponse, StandardTokenResponse,
    UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Claims the standard does not name. Kept as they came, so that a claim of the wrong type is refused for
/// what it is, and not with the whole token.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(super) struct ProviderClaims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vot: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_proofing_level: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nhs_number: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<Value>,
}

impl AdditionalClaims for ProviderClaims {}

impl std::fmt::Debug for ProviderClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProviderClaims(***)")
    }
}

/// Members of the discovery document the standard does not name.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct ProviderExtras {
    /// Says that the provider is a simulator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulator: Option<Value>,
}

impl AdditionalProviderMetadata for ProviderExtras {}

pub(super) type Metadata = ProviderMetadata<
    ProviderExtras,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

pub(super) type Token =
    IdToken<ProviderClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

pub(super) type TokenClaims = IdTokenClaims<ProviderClaims, CoreGenderClaim>;

pub(super) type UserInfo = UserInfoClaims<ProviderClaims, CoreGenderClaim>;

pub(super) type TokenAnswer = StandardTokenResponse<
    IdTokenFields<
        ProviderClaims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

pub(super) type TokenRefusal = StandardErrorResponse<CoreErrorResponseType>;

/// Our client, with its endpoints set, or before (`EndpointNotSet`).
pub(super) type RelyingParty<Endpoint = EndpointSet> = Client<
    ProviderClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    TokenRefusal,
    TokenAnswer,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    Endpoint,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    Endpoint,
    Endpoint,
>;
