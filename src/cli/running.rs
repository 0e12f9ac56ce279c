//! How is a running proxy asked? On its admin address, with its token.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::exit::Exit;

/// Longest wait for an answer. Nearly everything that is asked here is answered from memory; an
/// examination asks others, for a third of this at most.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Bytes of an answer: no explanation comes near.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Variable with the token itself.
const TOKEN_VARIABLE: &str = "LARDER_ADMIN_TOKEN";

/// Where a running proxy answers operators, and as whom it is asked.
#[derive(Args, Clone, Debug)]
pub(super) struct RunningProxy {
    /// Address of the running proxy for operators
    #[arg(long, env = "LARDER_ADMIN", value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub(super) admin: String,
    /// File with its token; LARDER_ADMIN_TOKEN holds the token itself
    #[arg(long, env = "LARDER_ADMIN_TOKEN_FILE", value_name = "FILE")]
    pub(super) admin_token_file: Option<PathBuf>,
}

/// Why a running proxy gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Not an address.
    #[error("--admin: `{0}` is not an address with a port, as in 127.0.0.1:8081")]
    Address(String),
    /// The file is missing, or not ours to read.
    #[error("cannot read `{file}`", file = .0.display())]
    TokenFile(PathBuf, #[source] std::io::Error),
    /// A token that cannot stand in a header. It is not repeated.
    #[error("the token cannot be sent")]
    Token(#[from] http::header::InvalidHeaderValue),
    /// Not even a runtime.
    #[error("cannot begin")]
    Runtime(#[source] std::io::Error),
    /// Nobody there, or they broke off.
    #[error("nobody answers on {0} (hint: --admin names the address that `larder serve` says it listens on)")]
    Nobody(SocketAddr, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// Somebody there, but not with what was asked for.
    #[error("{status}: {message}{hint}")]
    Refused { status: StatusCode, message: String, hint: String },
}

impl NoAnswer {
    /// The exit code.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Address(_) | Self::TokenFile(..) | Self::Token(_) => Exit::Usage,
            Self::Nobody(..) => Exit::Unavailable,
            Self::Runtime(_) | Self::Refused { .. } => Exit::Failure,
        }
    }
}

impl RunningProxy {
    /// Sends a question in JSON and gives the answer's text.
    pub(super) fn post(&self, path: &str, question: &Value) -> Result<String, NoAnswer> {
        let mut request = Request::new(Full::from(question.to_string()));
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.send(request, path)
    }

    /// Asks for something, or orders it, without a body, and gives the answer's text.
    pub(super) fn ask(&self, method: &Method, path: &str) -> Result<String, NoAnswer> {
        let mut request = Request::new(Full::default());
        *request.method_mut() = method.clone();
        self.send(request, path)
    }

    fn send(&self, mut request: Request<Full<Bytes>>, path: &str) -> Result<String, NoAnswer> {
        let address = self.address()?;
        // an address and a path of our own
        *request.uri_mut() = format!("http://{address}{path}").parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::try_from(address.to_string())?);
        if let Some(token) = self.token()? {
            let mut line = HeaderValue::try_from(format!("Bearer {token}"))?;
            line.set_sensitive(true);
            headers.insert(AUTHORIZATION, line);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(NoAnswer::Runtime)?;
        let nobody = |error| NoAnswer::Nobody(address, error);
        let (status, body) = runtime.block_on(exchange(request)).map_err(nobody)?;
        let text = String::from_utf8_lossy(&body).into_owned();
        if status == StatusCode::OK { Ok(text) } else { Err(refused(status, &text)) }
    }

    /// A proxy that listens everywhere is asked here. Its URL, as a browser shows it, is an address, too.
    fn address(&self) -> Result<SocketAddr, NoAnswer> {
        let plain = self.admin.trim_start_matches("http://").trim_end_matches('/');
        let literal = plain.replacen("localhost:", "127.0.0.1:", 1);
        let mut address: SocketAddr = literal.parse().map_err(|_| NoAnswer::Address(self.admin.clone()))?;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        Ok(address)
    }

    fn token(&self) -> Result<Option<String>, NoAnswer> {
        match &self.admin_token_file {
            None => Ok(std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty())),
            Some(file) => match std::fs::read_to_string(file) {
                Ok(text) => Ok(Some(text.trim_end().to_owned())),
                Err(error) => Err(NoAnswer::TokenFile(file.clone(), error)),
            },
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn exchange(request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let exchange = async {
        let (head, body) = client.request(request).await?.into_parts();
        Ok((head.status, Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes()))
    };
    tokio::time::timeout(ANSWER_WITHIN, exchange).await?
}

fn refused(status: StatusCode, text: &str) -> NoAnswer {
    let told: Value = serde_json::from_str(text).unwrap_or_default();
    let message = told["message"].as_str().unwrap_or("not the answer of a larder").to_owned();
    let hint = match (status, told["hint"].as_str()) {
        (_, Some(hint)) => format!(" (hint: {hint})"),
        (StatusCode::UNAUTHORIZED, None) => {
            " (hint: set LARDER_ADMIN_TOKEN or --admin-token-file)".to_owned()
        }
        (StatusCode::NOT_FOUND, None) => {
            " (hint: is that the address for operators, and of this version?)".to_owned()
        }
        (_, None) => String::new(),
    };
    NoAnswer::Refused { status, message, hint }
}
