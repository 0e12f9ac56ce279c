//! Who asks, in this request, now?
//!
//! A token is verified once and then remembered, byte for byte, with what it
//! says. Times are compared with `now` on every request. What is remembered
//! belongs to one set of keys: new keys begin with an empty memory, into which
//! nothing that the old keys verified can be written any more.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::watch;

use super::api_keys::{ApiKeys, PublicKey};
use super::claim::{Claim, Claims, read_claims};
use super::keys::{Issuers, Keys};
use super::opaque::{APIKEY, claims_privilege};
use super::reason::Reason;
use super::token::Token;
use super::user::{IGNORED_CLAIMS, User};
use super::{Identity, PRIVILEGED_ROLES};

/// Bytes of tokens and claims remembered: about ten thousand users.
const MEMO_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// What a verdict weighs for each byte of its token, which is held once as it is and once taken apart.
const BYTES_PER_TOKEN_BYTE: u64 = 3;

/// What a verdict weighs beside that.
const VERDICT_BYTES: u64 = 256;

/// The one accepted scheme, with its one blank: gateways disagree on every other spelling.
const BEARER: &str = "Bearer ";

/// Tells who asks.
pub struct Verifier {
    current: ArcSwap<Current>,
    api_keys: ApiKeys,
    audiences: Vec<String>,
    ignored: Vec<String>,
    /// Told whenever a token names a key that is not known.
    unknown_keys: watch::Sender<()>,
    /// How often the keys were replaced.
    era: AtomicU64,
}

/// The keys in use and what was verified with them.
struct Current {
    keys: Keys,
    verdicts: Cache<Box<[u8]>, Verdict, ByToken>,
}

/// What a token with a good signature is worth, whatever the time.
#[derive(Clone, Debug)]
enum Verdict {
    User(Arc<User>),
    Privileged,
    Refused(Reason),
}

impl Verifier {
    /// With the first keys; those of the issuers follow by [`Verifier::replace_keys`].
    pub fn new(keys: Keys, api_keys: ApiKeys) -> Self {
        Self {
            current: ArcSwap::from_pointee(Current::new(keys)),
            api_keys,
            audiences: Vec::new(),
            ignored: IGNORED_CLAIMS.map(String::from).into(),
            unknown_keys: watch::Sender::new(()),
            era: AtomicU64::new(0),
        }
    }

    /// Accepts only tokens that name one of these in `aud`. None: `aud` is not looked at.
    #[must_use]
    pub fn with_audiences(self, audiences: Vec<String>) -> Self {
        Self { audiences, ..self }
    }

    /// Tells users apart by every claim but these, in place of [`IGNORED_CLAIMS`]. `iss`, `sub` and `role` always count.
    #[must_use]
    pub fn ignoring(self, ignored: Vec<String>) -> Self {
        Self { ignored, ..self }
    }

    /// Puts new keys in the place of all old ones, and forgets what those verified.
    pub fn replace_keys(&self, keys: Keys) {
        self.current.store(Arc::new(Current::new(keys)));
        self.era.fetch_add(1, Ordering::Release);
    }

    /// Changes with the keys: whatever was concluded from a verdict belongs to one era.
    pub fn era(&self) -> u64 {
        self.era.load(Ordering::Acquire)
    }

    /// Whether there is any key to verify a token with.
    pub fn can_verify_anything(&self) -> bool {
        !self.current.load().keys.is_empty()
    }

    /// The configured public API keys.
    pub fn api_keys(&self) -> &ApiKeys {
        &self.api_keys
    }

    /// Changes whenever a token names a key that is not known. How often that
    /// leads to a fetch is for the one who fetches to decide.
    pub fn unknown_keys(&self) -> watch::Receiver<()> {
        self.unknown_keys.subscribe()
    }

    /// Looks at `Authorization` and `apikey`.
    pub fn identify(&self, headers: &HeaderMap, now_unix: u64) -> Identity {
        match self.look(headers, now_unix) {
            Ok(identity) => identity,
            Err(_) if sees_everything(headers) => Identity::Privileged,
            Err(reason) => Identity::Unverified(reason),
        }
    }

    /// What is verified about the caller at this path, as people would write it.
    pub fn claim(&self, headers: &HeaderMap, path: &str, now_unix: u64) -> Option<String> {
        match self.identify(headers, now_unix) {
            Identity::User { user, .. } => user.claim(path)?.to_text().map(Cow::into_owned),
            Identity::Anonymous { .. }
            | Identity::Privileged
            | Identity::Expired
            | Identity::Unverified(_) => None,
        }
    }

    fn look(&self, headers: &HeaderMap, now_unix: u64) -> Result<Identity, Reason> {
        let apikey = self.apikey(single(headers, APIKEY)?)?;
        let expires = apikey.and_then(|key| key.expires);
        let Some(authorization) = single(headers, AUTHORIZATION.as_str())? else {
            return Ok(anonymous(apikey, expires, now_unix));
        };
        let current = self.current.load();
        // Looked up as it came: only canonical lines with a user's token were ever remembered.
        let verdict = match current.verdicts.get(authorization.as_bytes()) {
            Some(verdict) => verdict,
            None => {
                let token = bearer(authorization).ok_or(Reason::Scheme)?;
                if let Some(key) = self.public_bearer(apikey, token)? {
                    return Ok(anonymous(apikey, earlier(expires, key.expires), now_unix));
                }
                let verdict = self.verdict(&current.keys, token)?;
                current.verdicts.insert(authorization.as_bytes().into(), verdict.clone());
                verdict
            }
        };
        match verdict {
            Verdict::Privileged => Ok(Identity::Privileged),
            Verdict::Refused(reason) => Err(reason),
            Verdict::User(user) => {
                let expires = expires.map_or(user.expires, |end| end.min(user.expires));
                let is_valid = user.begins <= now_unix && now_unix < expires;
                Ok(if is_valid { Identity::User { user, expires } } else { Identity::Expired })
            }
        }
    }

    /// The key that was sent as `apikey`: a configured one, or none where none exist.
    fn apikey(&self, sent: Option<&HeaderValue>) -> Result<Option<&PublicKey>, Reason> {
        match (sent, self.api_keys.is_empty()) {
            (None, true) => Ok(None),
            (None, false) => Err(Reason::MissingApikey),
            (Some(_), true) => Err(Reason::NoApiKeysConfigured),
            (Some(sent), false) => self.api_keys.find(sent.as_bytes()).map(Some).ok_or(Reason::UnknownApikey),
        }
    }

    /// The public key that stands in the place of a user's token, as supabase-js sends it while signed out.
    fn public_bearer<'v>(
        &'v self,
        apikey: Option<&'v PublicKey>,
        token: &str,
    ) -> Result<Option<&'v PublicKey>, Reason> {
        if let Some(same) = apikey.filter(|key| key.is(token)) {
            return Ok(Some(same));
        }
        match self.api_keys.find(token.as_bytes()) {
            // A legacy key is a token like any other; a gateway lets it stand beside another `apikey`.
            Some(other) if other.is_token() => Ok(Some(other)),
            Some(_) => Err(Reason::KeyMismatch),
            None => Ok(None),
        }
    }

    /// Fails where the signature does, so that only what an issuer signed is remembered: forgers fill no memory.
    fn verdict(&self, keys: &Keys, token: &str) -> Result<Verdict, Reason> {
        let token = Token::parse(token)?;
        let issuers = keys.verify(&token).inspect_err(|reason| {
            if *reason == Reason::UnknownKey {
                self.unknown_keys.send_replace(());
            }
        })?;
        Ok(self.judge(&token, &issuers).unwrap_or_else(Verdict::Refused))
    }

    /// What a token is worth whose signature is good.
    fn judge(&self, token: &Token<'_>, issuers: &[&Issuers]) -> Result<Verdict, Reason> {
        let claims = read_claims(&token.payload()?).map_err(|_| Reason::Claims)?;
        let role = claims.get("role").and_then(Claim::as_str).filter(|role| !role.is_empty());
        if role.is_some_and(|role| PRIVILEGED_ROLES.contains(&role)) {
            return Ok(Verdict::Privileged);
        }
        let issuer = claims.get("iss").map(|issuer| issuer.as_str().ok_or(Reason::Claims)).transpose()?;
        if !issuers.iter().any(|accepted| accepted.include(issuer)) {
            return Err(Reason::Issuer);
        }
        if !self.audiences.is_empty() && !self.is_meant(claims.get("aud")) {
            return Err(Reason::Audience);
        }
        let times = times(&claims)?;
        let role = role.ok_or(Reason::Role)?.to_owned();
        Ok(Verdict::User(Arc::new(User::new(role, claims, times, &self.ignored))))
    }

    fn is_meant(&self, audience: Option<&Claim>) -> bool {
        let is_ours = |claim: &Claim| {
            claim.as_str().is_some_and(|name| self.audiences.iter().any(|audience| audience == name))
        };
        match audience {
            Some(Claim::List(several)) => several.iter().any(is_ours),
            Some(one) => is_ours(one),
            None => false,
        }
    }
}

impl Current {
    fn new(keys: Keys) -> Self {
        let typical = MEMO_BYTES_MAX / (BYTES_PER_TOKEN_BYTE * 1024);
        let reserved = usize::try_from(typical).unwrap_or(usize::MAX);
        Self { keys, verdicts: Cache::with_weighter(reserved, MEMO_BYTES_MAX, ByToken) }
    }
}

/// The only line of this name; `None` if there is none.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h HeaderValue>, Reason> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(Reason::DuplicateHeader),
    }
}

/// The token in `Bearer <token>`, if the line is exactly that.
fn bearer(line: &HeaderValue) -> Option<&str> {
    let token = line.to_str().ok()?.strip_prefix(BEARER)?;
    (!token.is_empty() && !token.contains([' ', '\t'])).then_some(token)
}

/// Whether any line says of itself that it sees everything. It is believed, because nothing is kept then.
fn sees_everything(headers: &HeaderMap) -> bool {
    let lines = [AUTHORIZATION.as_str(), APIKEY].into_iter().flat_map(|name| headers.get_all(name));
    lines.filter_map(|line| line.to_str().ok()).any(claims_privilege)
}

fn anonymous(apikey: Option<&PublicKey>, expires: Option<u64>, now_unix: u64) -> Identity {
    if expires.is_some_and(|end| end <= now_unix) {
        return Identity::Expired;
    }
    Identity::Anonymous { apikey: apikey.map(|key| key.kind), expires }
}

fn earlier(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// When a token begins and ends.
fn times(claims: &Claims) -> Result<(u64, u64), Reason> {
    let seconds = |name| match claims.get(name) {
        None => Ok(None),
        Some(claim) => claim.as_seconds().map(Some).ok_or(Reason::Times),
    };
    let begins = seconds("nbf")?.max(seconds("iat")?).unwrap_or_default();
    Ok((begins, seconds("exp")?.ok_or(Reason::Times)?))
}

#[derive(Clone, Debug)]
struct ByToken;

impl Weighter<Box<[u8]>, Verdict> for ByToken {
    fn weight(&self, token: &Box<[u8]>, _: &Verdict) -> u64 {
        token.len() as u64 * BYTES_PER_TOKEN_BYTE + VERDICT_BYTES
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.current.load().keys)
            .field("api_keys", &self.api_keys)
            .finish_non_exhaustive()
    }
}
