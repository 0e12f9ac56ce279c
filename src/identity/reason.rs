//! Why can a caller not be identified?

/// Why nothing is known about a caller for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    /// Gateways and PostgREST choose differently among several lines.
    #[error("`Authorization` or `apikey` stands there twice")]
    DuplicateHeader,
    /// Anything but exactly `Bearer `, one blank, and a token: gateways read such lines differently.
    #[error("`Authorization` is not exactly `Bearer ` and a token")]
    Scheme,
    /// The gateway wants an API key and would refuse.
    #[error("API keys are configured and `apikey` is missing")]
    MissingApikey,
    /// Not configured: revoked, of another project, or invented.
    #[error("the `apikey` is not one of the configured ones")]
    UnknownApikey,
    /// Which keys the gateway accepts is not known here.
    #[error("an API key was sent and none is configured")]
    NoApiKeysConfigured,
    /// Gateways accept a publishable key as bearer only if `apikey` is the same.
    #[error("the API key sent as bearer is not the one sent as `apikey`")]
    KeyMismatch,
    /// Longer than any token of an application.
    #[error("the token is longer than 16 KiB")]
    TooLong,
    /// An opaque or encrypted token, or something else.
    #[error("the token has not exactly three parts")]
    NotAToken,
    /// Padding, foreign characters or spare bits: two spellings of one token.
    #[error("the token is not canonical base64url")]
    Encoding,
    /// Not an object, a name twice, or a parameter of the wrong type.
    #[error("the token's header cannot be read")]
    Header,
    /// `crit`, `b64`, `jku`, `jwk`, `x5u`: a token neither changes the rules nor brings its own key.
    #[error("the token's header asks for something that is never granted")]
    HeaderParameter,
    /// `none`, an algorithm that is not supported, or not the one that the named key is for.
    #[error("the token's algorithm is not accepted, or not the one of its key")]
    Algorithm,
    /// No key id that any issuer uses.
    #[error("the token's key id is malformed")]
    KeyId,
    /// Perhaps a new key: the sets are fetched again, not too often.
    #[error("the token names a key that is not known")]
    UnknownKey,
    /// Neither a secret nor a public key for this algorithm.
    #[error("there is no key for the token's algorithm")]
    NoKey,
    /// Forged, or signed with a key that is not trusted.
    #[error("the token's signature is wrong")]
    Signature,
    /// Not an object, a name twice, nested too deeply, or an essential claim of the wrong type.
    #[error("the token's claims cannot be read")]
    Claims,
    /// `exp` is missing, or one of `exp`, `nbf`, `iat` is not a whole number of seconds.
    #[error("the token's times are missing or not whole numbers")]
    Times,
    /// `iss` is missing, or its key does not vouch for it.
    #[error("the token's issuer is not accepted")]
    Issuer,
    /// `aud` names nobody who is configured.
    #[error("the token is for somebody else")]
    Audience,
    /// Which database role it means is PostgREST's configuration.
    #[error("the token names no role")]
    Role,
}

impl Reason {
    /// For labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DuplicateHeader => "duplicate-header",
            Self::Scheme => "scheme",
            Self::MissingApikey => "missing-apikey",
            Self::UnknownApikey => "unknown-apikey",
            Self::NoApiKeysConfigured => "no-api-keys-configured",
            Self::KeyMismatch => "key-mismatch",
            Self::TooLong => "too-long",
            Self::NotAToken => "not-a-token",
            Self::Encoding => "encoding",
            Self::Header => "header",
            Self::HeaderParameter => "header-parameter",
            Self::Algorithm => "algorithm",
            Self::KeyId => "key-id",
            Self::UnknownKey => "unknown-key",
            Self::NoKey => "no-key",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Times => "times",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Role => "role",
        }
    }

    /// What would change it, where something should.
    pub fn hint(self) -> &'static str {
        match self {
            Self::DuplicateHeader => "send each of them once",
            Self::Scheme => "send `Authorization: Bearer <token>` with one blank, or leave it out",
            Self::MissingApikey => "send the project's publishable key as `apikey`, as supabase-js does",
            Self::UnknownApikey => {
                "set SUPABASE_PUBLISHABLE_KEY or SUPABASE_ANON_KEY to the key that the app sends, if it is a public one"
            }
            Self::NoApiKeysConfigured => "set SUPABASE_PUBLISHABLE_KEY or SUPABASE_ANON_KEY",
            Self::KeyMismatch => "send the same key as `apikey` and as bearer",
            Self::TooLong | Self::NotAToken | Self::Encoding | Self::Header | Self::KeyId | Self::Claims => {
                "send a token as its issuer gave it out"
            }
            Self::HeaderParameter => "have it issued without `crit`, `b64`, `jku`, `jwk` and `x5u`",
            Self::Algorithm => "have it signed with ES256, RS256, EdDSA or HS256, as its key is meant for",
            Self::UnknownKey => {
                "name its issuer in --other-issuers, unless it is the project's own: new keys are fetched by themselves"
            }
            Self::NoKey => {
                "set SUPABASE_JWT_SECRET for HS256; keys of other algorithms are fetched from the upstream and from --other-issuers"
            }
            Self::Signature => {
                "set SUPABASE_JWT_SECRET to the project's secret, the old and the new one while it is replaced, or name the token's issuer"
            }
            Self::Times => "have it issued with `exp`, in whole seconds",
            Self::Issuer => {
                "name what stands in `iss` in --issuer, if the project's own keys sign it, or in --other-issuers"
            }
            Self::Audience => "add what stands in `aud` to --audiences",
            Self::Role => "have it issued with the claim `role`",
        }
    }
}
