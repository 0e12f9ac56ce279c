//! bridge until the grammar lands
#![allow(missing_debug_implementations, dead_code)]
use std::borrow::Cow;
pub struct Path<'a> {
    raw: &'a str,
}
#[derive(Clone, Copy, Debug)]
pub enum Oddity {
    X,
}
impl Oddity {
    pub fn refused_under_rest(self) -> bool {
        true
    }
}
impl<'a> Path<'a> {
    pub fn parse(raw: &'a str) -> Self {
        Self { raw }
    }
    pub fn raw(&self) -> &str {
        self.raw
    }
    pub fn decoded(&self) -> &str {
        self.raw
    }
    pub fn oddity(&self) -> Option<Oddity> {
        None
    }
}
pub enum Resource {
    Table(String),
    Function(String),
    Root,
    GraphQl,
    Auth,
    Storage,
    Functions,
    Realtime,
    Elsewhere,
    OddRest,
}
impl Resource {
    pub fn of(path: &Path<'_>) -> Self {
        if let Some(f) = path.raw.strip_prefix("/rest/v1/rpc/") {
            return Self::Function(f.into());
        }
        if let Some(t) = path.raw.strip_prefix("/rest/v1/") {
            return Self::Table(t.into());
        }
        if path.raw.starts_with("/auth/v1") {
            return Self::Auth;
        }
        Self::Elsewhere
    }
}
pub struct Query<'a> {
    raw: Option<&'a str>,
    pairs: Vec<(&'a str, Option<&'a str>)>,
}
impl<'a> Query<'a> {
    pub fn parse(raw: Option<&'a str>) -> Self {
        let pairs = raw
            .unwrap_or("")
            .split('&')
            .filter(|p| !p.is_empty())
            .map(|p| match p.split_once('=') {
                Some((a, b)) => (a, Some(b)),
                None => (p, None),
            })
            .collect();
        Self { raw, pairs }
    }
    pub fn has_semicolon(&self) -> bool {
        false
    }
    pub fn is_utf8(&self) -> bool {
        true
    }
    pub fn values(&self, name: &str) -> impl Iterator<Item = Option<&str>> {
        self.pairs.iter().filter(move |p| p.0 == name).map(|p| p.1)
    }
    pub fn select(&self) -> Option<&str> {
        self.values("select").next().flatten()
    }
    pub fn eq_value(&self, column: &str) -> Option<&str> {
        self.values(column).next().flatten()?.strip_prefix("eq.")
    }
    pub fn pinned(&self, column: &str) -> Option<Vec<String>> {
        self.eq_value(column).map(|v| vec![v.into()])
    }
    pub fn canonical(&self) -> Cow<'a, str> {
        Cow::Borrowed(self.raw.unwrap_or(""))
    }
    pub fn has_moving_time(&self) -> bool {
        false
    }
    pub fn reads(&self) -> Reads {
        Reads::Known(vec![])
    }
}
pub struct Embed;
impl Embed {
    pub fn parent(&self) -> Option<&str> {
        None
    }
    pub fn written(&self) -> String {
        String::new()
    }
}
pub enum Reads {
    Known(Vec<Embed>),
    Opaque,
}
pub struct Preferences;
impl Preferences {
    pub fn parse(_: http::header::GetAll<'_, http::HeaderValue>) -> Self {
        Self
    }
    pub fn is_upsert(&self) -> bool {
        false
    }
    pub fn returns_representation(&self) -> bool {
        false
    }
}
#[derive(Debug)]
pub struct Payload<'a>(std::marker::PhantomData<&'a ()>);
#[derive(Clone)]
pub enum Values {
    Known(Vec<String>),
    Absent,
    Unknown,
}
impl<'a> Payload<'a> {
    pub fn parse(_: Option<&http::HeaderValue>, _: &'a [u8]) -> Self {
        Self(std::marker::PhantomData)
    }
    pub fn column(&self, _: &str, _: Option<&str>) -> Values {
        Values::Unknown
    }
    pub fn at_path(&self, _: &[String]) -> Values {
        Values::Unknown
    }
}
pub fn is_refusal(_: http::StatusCode, _: &[u8]) -> bool {
    false
}
