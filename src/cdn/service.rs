//! How is each network told? Pure: labels in, a request out; an answer in, a verdict out.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::agent::AGENT;
use crate::key::Label;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Where the services of that name answer.
const CLOUDFLARE_API: &str = "https://api.cloudflare.com";
const FASTLY_API: &str = "https://api.fastly.com";

/// Most labels that each of them takes in one call; of a hook's nothing is known.
const CLOUDFLARE_LABELS: usize = 30;
const FASTLY_LABELS: usize = 256;
const WEBHOOK_LABELS: usize = 100;

/// What stands for the labels in a hook's body, as a JSON list.
const PLACE: &str = "{tags}";
const BODY_DEFAULT: &str = "{\"tags\":{tags}}";

/// Longest identifier of a zone or service. Theirs have 32 characters and fewer.
const NAME_BYTES_MAX: usize = 64;

/// A network, as it is written down.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written<'w> {
    /// `cloudflare:<zone>`, `fastly:<service>` or the URL of a hook.
    pub service: &'w str,
    /// Another address for the first two.
    pub api: Option<&'w str>,
    /// What a hook is sent.
    pub body: Option<&'w str>,
    /// What proves who calls.
    pub token: Option<&'w str>,
}

/// Why a network cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceMistake {
    /// Neither a service nor a URL.
    #[error(
        "write `cloudflare:<zone id>`, `fastly:<service id>`, or the URL of a hook that begins with https://"
    )]
    Unknown,
    /// An identifier that would be something else in a path.
    #[error("the id of a zone or service is made of letters and digits")]
    Name,
    /// A password in a URL ends up in logs.
    #[error("the URL has no user and no password (hint: LARDER_CDN_TOKEN)")]
    User,
    /// Another address is not a URL.
    #[error("--cdn-api is no URL with a host and nothing else, as in https://api.example.com")]
    Api,
    /// Whoever calls has to say who it is.
    #[error("a token is needed: set LARDER_CDN_TOKEN")]
    NoToken,
    /// A token that is no header.
    #[error("the token in LARDER_CDN_TOKEN has characters that no header can hold")]
    Token,
    /// A hook that is never told what to forget.
    #[error("--cdn-body does not name {{tags}}, which stands for the list of tags")]
    NoPlace,
    /// Only hooks have a body of their own.
    #[error("--cdn-body is for the URL of a hook: Cloudflare and Fastly have a form of their own")]
    Body,
}

/// A network that can be told.
#[derive(Clone, Debug)]
pub struct Service {
    kind: Kind,
    url: Uri,
    /// Marked as sensitive, so that it is never printed.
    credentials: Option<(HeaderName, HeaderValue)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Cloudflare,
    Fastly,
    Webhook { body: Box<str> },
}

impl Service {
    /// Reads what is written down.
    pub fn parse(written: Written<'_>) -> Result<Self, ServiceMistake> {
        let token = written.token.map(str::trim).filter(|token| !token.is_empty());
        if let Some(zone) = written.service.strip_prefix("cloudflare:") {
            let path = format!("/client/v4/zones/{}/purge_cache", name(zone)?);
            let url = at(written, CLOUDFLARE_API, &path)?;
            let token = token.ok_or(ServiceMistake::NoToken)?;
            return Ok(Self {
                kind: Kind::Cloudflare,
                url,
                credentials: Some((AUTHORIZATION, bearer(token)?)),
            });
        }
        if let Some(service) = written.service.strip_prefix("fastly:") {
            let url = at(written, FASTLY_API, &format!("/service/{}/purge", name(service)?))?;
            let token = secret(token.ok_or(ServiceMistake::NoToken)?.to_owned())?;
            let credentials = Some((HeaderName::from_static("fastly-key"), token));
            return Ok(Self { kind: Kind::Fastly, url, credentials });
        }
        let url: Uri = written.service.parse().map_err(|_| ServiceMistake::Unknown)?;
        let (Some("http" | "https"), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(ServiceMistake::Unknown);
        };
        if authority.as_str().contains('@') {
            return Err(ServiceMistake::User);
        }
        let body = written.body.unwrap_or(BODY_DEFAULT);
        if !body.contains(PLACE) {
            return Err(ServiceMistake::NoPlace);
        }
        let credentials = token.map(bearer).transpose()?.map(|token| (AUTHORIZATION, token));
        Ok(Self { kind: Kind::Webhook { body: body.into() }, url, credentials })
    }

    /// Most labels that go into one call.
    pub(super) fn labels_max(&self) -> usize {
        match self.kind {
            Kind::Cloudflare => CLOUDFLARE_LABELS,
            Kind::Fastly => FASTLY_LABELS,
            Kind::Webhook { .. } => WEBHOOK_LABELS,
        }
    }

    /// For log lines.
    pub fn host(&self) -> &str {
        self.url.host().unwrap_or_default()
    }

    /// The call that makes it forget what has these labels.
    pub(super) fn request(&self, labels: &[Label]) -> Request<Full<Bytes>> {
        let labels: Vec<&str> = labels.iter().map(Label::as_str).collect();
        let body = match &self.kind {
            Kind::Cloudflare => json!({ "tags": labels }).to_string(),
            Kind::Fastly => json!({ "surrogate_keys": labels }).to_string(),
            Kind::Webhook { body } => body.replace(PLACE, &json!(labels).to_string()),
        };
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let headers: &mut HeaderMap = request.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(ACCEPT, JSON);
        headers.insert(USER_AGENT, AGENT);
        if let Some((name, value)) = &self.credentials {
            headers.insert(name.clone(), value.clone());
        }
        request
    }

    /// Whether an answer means that it will forget.
    pub(super) fn has_heard(&self, status: StatusCode, body: &[u8]) -> bool {
        // Cloudflare also says in the body what became of a call
        let agrees = || serde_json::from_slice::<Value>(body).is_ok_and(|body| body["success"] == true);
        status.is_success() && (self.kind != Kind::Cloudflare || agrees())
    }
}

fn name(text: &str) -> Result<&str, ServiceMistake> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain && (1..=NAME_BYTES_MAX).contains(&text.len()) { Ok(text) } else { Err(ServiceMistake::Name) }
}

fn at(written: Written<'_>, usual: &str, path: &str) -> Result<Uri, ServiceMistake> {
    if written.body.is_some() {
        return Err(ServiceMistake::Body);
    }
    let api = written.api.unwrap_or(usual).trim_end_matches('/');
    let base: Uri = api.parse().map_err(|_| ServiceMistake::Api)?;
    let is_bare =
        base.authority().is_some_and(|authority| !authority.as_str().contains('@')) && base.path() == "/";
    if !is_bare || base.query().is_some() || !matches!(base.scheme_str(), Some("http" | "https")) {
        return Err(ServiceMistake::Api);
    }
    [api, path].concat().parse().map_err(|_| ServiceMistake::Api)
}

fn bearer(token: &str) -> Result<HeaderValue, ServiceMistake> {
    secret(format!("Bearer {token}"))
}

fn secret(text: String) -> Result<HeaderValue, ServiceMistake> {
    let mut header = HeaderValue::try_from(text).map_err(|_| ServiceMistake::Token)?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::key::Tag;

    const CLOUDFLARE: Written<'_> = Written {
        service: "cloudflare:023e105f4ecef8ad9ca31a8372d0c353",
        api: None,
        body: None,
        token: Some("canary"),
    };

    async fn told(written: Written<'_>) -> (String, String, String) {
        let service = Service::parse(written).unwrap();
        assert!(!format!("{service:?}").contains("canary"), "a token is never printed");
        let labels = ["everything", "key:a\"b"].map(|text| Label::of(&Tag::of_text(text)));
        let (head, body) = service.request(&labels).into_parts();
        let header = |name| head.headers.get(name).map_or("", |value: &HeaderValue| value.to_str().unwrap());
        let credentials = [header("authorization"), header("fastly-key")].concat();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        assert_eq!((head.method, header("content-type")), (Method::POST, "application/json"));
        (head.uri.to_string(), credentials, body)
    }

    #[tokio::test]
    async fn each_network_is_told_in_its_own_form() {
        let labels = "[\"everything\",\"key:a_b\"]";
        let said =
            |url: &str, credentials: &str, body: String| (url.to_owned(), credentials.to_owned(), body);
        assert_eq!(
            told(CLOUDFLARE).await,
            said(
                "https://api.cloudflare.com/client/v4/zones/023e105f4ecef8ad9ca31a8372d0c353/purge_cache",
                "Bearer canary",
                format!("{{\"tags\":{labels}}}")
            )
        );
        let fastly = Written { service: "fastly:SU1Z0isxPaozGVKXdv0eY", ..CLOUDFLARE };
        assert_eq!(
            told(fastly).await,
            said(
                "https://api.fastly.com/service/SU1Z0isxPaozGVKXdv0eY/purge",
                "canary",
                format!("{{\"surrogate_keys\":{labels}}}")
            )
        );
        let hook = Written { service: "https://hook.example/purge?x=1", ..Written::default() };
        assert_eq!(
            told(hook).await,
            said("https://hook.example/purge?x=1", "", format!("{{\"tags\":{labels}}}"))
        );
        let body = Some("{\"do\":\"purge\",\"by\":{tags}}");
        let hook = Written { body, token: Some(" canary\n"), ..hook };
        assert_eq!(
            told(hook).await,
            said(
                "https://hook.example/purge?x=1",
                "Bearer canary",
                format!("{{\"do\":\"purge\",\"by\":{labels}}}")
            )
        );
        let elsewhere = Written { api: Some("http://127.0.0.1:9/"), ..fastly };
        assert_eq!(told(elsewhere).await.0, "http://127.0.0.1:9/service/SU1Z0isxPaozGVKXdv0eY/purge");
    }

    #[test]
    fn what_cannot_be_told() {
        let hook = Written { service: "https://hook.example", ..Written::default() };
        for (written, mistake) in [
            (Written { service: "", ..CLOUDFLARE }, ServiceMistake::Unknown),
            (Written { service: "akamai:x", ..CLOUDFLARE }, ServiceMistake::Unknown),
            (Written { service: "ftp://hook.example", ..hook }, ServiceMistake::Unknown),
            (Written { service: "cloudflare:", ..CLOUDFLARE }, ServiceMistake::Name),
            (Written { service: "cloudflare:../x", ..CLOUDFLARE }, ServiceMistake::Name),
            (Written { service: "fastly:a/b?c", ..CLOUDFLARE }, ServiceMistake::Name),
            (Written { service: "https://a:b@hook.example", ..hook }, ServiceMistake::User),
            (Written { token: None, ..CLOUDFLARE }, ServiceMistake::NoToken),
            (Written { token: Some("a\nb"), ..CLOUDFLARE }, ServiceMistake::Token),
            (Written { api: Some("https://x/y"), ..CLOUDFLARE }, ServiceMistake::Api),
            (Written { api: Some("x"), ..CLOUDFLARE }, ServiceMistake::Api),
            (Written { body: Some("{}"), ..hook }, ServiceMistake::NoPlace),
            (Written { body: Some("{tags}"), ..CLOUDFLARE }, ServiceMistake::Body),
        ] {
            assert_eq!(Service::parse(written).unwrap_err(), mistake, "{written:?}");
        }
    }

    #[test]
    fn an_answer_is_believed_as_each_means_it() {
        let cloudflare = Service::parse(CLOUDFLARE).unwrap();
        let hook = Service::parse(Written { service: "https://h", ..Written::default() }).unwrap();
        for (status, body, cloudflare_heard, hook_heard) in [
            (200, "{\"success\":true,\"errors\":[]}", true, true),
            (200, "{\"success\":false,\"errors\":[{\"code\":1}]}", false, true),
            (200, "<html>", false, true),
            (204, "", false, true),
            (302, "", false, false),
            (429, "{\"success\":true}", false, false),
            (500, "", false, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(cloudflare.has_heard(status, body.as_bytes()), cloudflare_heard, "{status} {body}");
            assert_eq!(hook.has_heard(status, body.as_bytes()), hook_heard, "{status} {body}");
        }
    }
}
