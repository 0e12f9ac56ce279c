//! `"detail:{id}"`: parsed once when the rules are compiled, rendered per request.

use std::borrow::Cow;
use std::fmt;

use super::escape::escape_onto;

/// Room for the values of most keys, in bytes.
const TYPICAL_VALUES: usize = 128;

/// A placeholder: which value of a request stands here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Placeholder {
    /// `{id}`: in a key the value of the filter `id=eq.<value>`; in a write rule
    /// every value the column may have had before or after.
    Column(String),
    /// `{query}`: the canonical query.
    Query,
    /// `{path.1}`: what the first `*` segment of `match` stood for.
    Path(usize),
    /// `{claims.sub}`: a verified claim.
    Claim(String),
    /// `{header.x-app-version}`: a request header that the rule lists in `vary`.
    Header(String),
    /// `{body.a.b}`: a value in the JSON body of a write.
    Body(Vec<String>),
    /// `{row.city}`: a column of the rows that a write returned.
    Row(String),
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(column) => write!(f, "{{{column}}}"),
            Self::Query => f.write_str("{query}"),
            Self::Path(index) => write!(f, "{{path.{index}}}"),
            Self::Claim(path) => write!(f, "{{claims.{path}}}"),
            Self::Header(name) => write!(f, "{{header.{name}}}"),
            Self::Body(path) => write!(f, "{{body.{}}}", path.join(".")),
            Self::Row(column) => write!(f, "{{row.{column}}}"),
        }
    }
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateMistake {
    /// A `{` without its `}`, or the reverse.
    #[error("unbalanced brace")]
    Unbalanced,
    /// `{}` or a name that no request can have.
    #[error("`{{{0}}}` is not a placeholder")]
    Unknown(String),
    /// A character that separates a key from its fingerprint or escapes data.
    #[error("`{0}` cannot stand in a name")]
    Forbidden(char),
}

/// One part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Stands for itself.
    Literal(String),
    /// Stands for a value of the request.
    Value(Placeholder),
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
}

impl Template {
    /// Parses a template.
    pub fn parse(text: &str) -> Result<Self, TemplateMistake> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let literal_end = rest.find(['{', '}']).unwrap_or(rest.len());
            let (literal, after) = rest.split_at(literal_end);
            if let Some(bad) = literal.chars().find(|c| "#%~\"\\".contains(*c) || !c.is_ascii_graphic()) {
                return Err(TemplateMistake::Forbidden(bad));
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.into()));
            }
            let Some(inside) = after.strip_prefix('{') else {
                if after.is_empty() {
                    break;
                }
                return Err(TemplateMistake::Unbalanced);
            };
            let (name, after) = inside.split_once('}').ok_or(TemplateMistake::Unbalanced)?;
            pieces.push(Piece::Value(placeholder(name)?));
            rest = after;
        }
        Ok(Self { text: text.into(), pieces })
    }

    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its parts, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Its placeholders, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Value(placeholder) => Some(placeholder),
        })
    }

    /// Renders behind a namespace and a colon, with the request's values, escaped;
    /// `None` if one is missing.
    pub fn render<'v>(
        &self,
        namespace: &str,
        mut value: impl FnMut(&Placeholder) -> Option<Cow<'v, str>>,
    ) -> Option<String> {
        let mut rendered = String::with_capacity(namespace.len() + self.text.len() + TYPICAL_VALUES);
        rendered.push_str(namespace);
        rendered.push(':');
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => rendered.push_str(literal),
                Piece::Value(placeholder) => escape_onto(&mut rendered, &value(placeholder)?),
            }
        }
        Some(rendered)
    }
}

fn placeholder(name: &str) -> Result<Placeholder, TemplateMistake> {
    let unknown = || TemplateMistake::Unknown(name.into());
    let word =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-$ ".contains(c));
    match name.split_once('.') {
        None if name == "query" => Ok(Placeholder::Query),
        None if word(name) => Ok(Placeholder::Column(name.into())),
        Some(("path", index)) => match index.parse() {
            Ok(index @ 1..=16) => Ok(Placeholder::Path(index)),
            Ok(_) | Err(_) => Err(unknown()),
        },
        Some(("claims", path)) if path.split('.').all(word) => Ok(Placeholder::Claim(path.into())),
        Some(("header", header)) if word(header) => Ok(Placeholder::Header(header.to_ascii_lowercase())),
        Some(("body", path)) if path.split('.').all(word) => {
            Ok(Placeholder::Body(path.split('.').map(String::from).collect()))
        }
        Some(("row", column)) if word(column) => Ok(Placeholder::Row(column.into())),
        None | Some(_) => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_prints_as_it_was_written() {
        for text in [
            "detail:{id}",
            "list:{query}",
            "{path.1}:{path.2}",
            "fmpa:list:{claims.app_metadata.tenant_id}:{query}",
            "v:{header.x-app-version}",
            "payment:{body.lease.id}:{row.city}",
            "plain",
            "",
        ] {
            let template = Template::parse(text).unwrap();
            let printed: String = template
                .pieces()
                .iter()
                .map(|piece| match piece {
                    Piece::Literal(literal) => literal.clone(),
                    Piece::Value(placeholder) => placeholder.to_string(),
                })
                .collect();
            assert_eq!(printed, text);
        }
    }

    #[test]
    fn what_is_no_template_says_why() {
        for (text, message) in [
            ("detail:{id", "unbalanced brace"),
            ("detail:id}", "unbalanced brace"),
            ("a{}b", "`{}` is not a placeholder"),
            ("{path.0}", "`{path.0}` is not a placeholder"),
            ("{path.x}", "`{path.x}` is not a placeholder"),
            ("{boddy.x}", "`{boddy.x}` is not a placeholder"),
            ("{body.}", "`{body.}` is not a placeholder"),
            ("{a:b}", "`{a:b}` is not a placeholder"),
            ("a#b", "`#` cannot stand in a name"),
            ("a b", "` ` cannot stand in a name"),
        ] {
            assert_eq!(Template::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn trap_22_and_23_data_cannot_act_as_syntax() {
        let template = Template::parse("city:{city}").unwrap();
        let render = |value: &'static str| template.render("n", |_| Some(Cow::Borrowed(value))).unwrap();
        assert_eq!(render("Dakar"), "n:city:Dakar");
        assert_eq!(render("*"), "n:city:%2A");
        assert_eq!(render("1:table:secrets"), "n:city:1%3Atable%3Asecrets");
        assert_eq!(template.render("n", |_| None), None);
    }
}
