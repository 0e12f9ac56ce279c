//! SQL and PL/pgSQL as words: enough to find every name that stands in a text.
//!
//! Nothing here understands a statement. A static statement names its tables in
//! its text, so whoever takes every name for a table takes too many, never too
//! few; what could name a table otherwise (dynamic SQL) is said to be doubtful.

mod body;
mod caller;

pub(super) use body::{Body, Chain};
pub(super) use caller::{claims_of, equalities, is_known, shows_openly};

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word without quotes, folded to lower case as PostgreSQL does.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// A literal.
    Text(String),
    /// A number, or a placeholder such as `$1`.
    Number,
    /// Anything else, such as `(`; `::` and `:=` are one.
    Symbol(&'static str),
    /// A sign that means nothing here.
    Other(char),
}

impl Token {
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own == word)
    }

    /// A name, quoted or not.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::Quoted(name) => Some(name),
            Self::Text(_) | Self::Number | Self::Symbol(_) | Self::Other(_) => None,
        }
    }
}

/// PostgreSQL cuts longer names, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// Longer signs first.
const SYMBOLS: [&str; 12] = ["::", ":=", "#>>", "#>", "->>", "->", ".", ",", ";", "(", ")", "="];

/// Splits a text; comments are left out.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, after) = next(rest, first);
        tokens.extend(token);
        rest = after;
    }
    tokens
}

fn next(rest: &str, first: char) -> (Option<Token>, &str) {
    if first.is_whitespace() {
        return (None, &rest[first.len_utf8()..]);
    }
    if rest.starts_with("--") {
        return (None, rest.find('\n').map_or("", |end| &rest[end..]));
    }
    if rest.starts_with("/*") {
        return (None, after_comment(rest));
    }
    if let Some((text, after)) = literal(rest) {
        return (Some(Token::Text(text)), after);
    }
    if first == '"' {
        let (name, after) = quoted(&rest[1..], '"', false);
        return (Some(Token::Quoted(cut(name))), after);
    }
    if first.is_ascii_digit() || (first == '$' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
        let end =
            rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(rest.len(), |at| at + 1);
        return (Some(Token::Number), &rest[end..]);
    }
    if is_word(first) {
        let end = rest.find(|c: char| !is_word(c) && !c.is_ascii_digit() && c != '$').unwrap_or(rest.len());
        // only these letters are folded where the encoding has many bytes for one
        return (Some(Token::Word(cut(rest[..end].to_ascii_lowercase()))), &rest[end..]);
    }
    match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
        Some(symbol) => (Some(Token::Symbol(symbol)), &rest[symbol.len()..]),
        None => (Some(Token::Other(first)), &rest[first.len_utf8()..]),
    }
}

fn cut(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
    name
}

fn is_word(c: char) -> bool {
    c.is_alphabetic() || c == '_' || !c.is_ascii()
}

/// Comments nest.
fn after_comment(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return &text[at..];
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    ""
}

/// `'…'`, `E'…'`, `$tag$…$tag$`.
fn literal(rest: &str) -> Option<(String, &str)> {
    if let Some(inside) = rest.strip_prefix('\'') {
        return Some(quoted(inside, '\'', false));
    }
    if let Some(inside) = rest.strip_prefix("E'").or_else(|| rest.strip_prefix("e'")) {
        return Some(quoted(inside, '\'', true));
    }
    let tagged = rest.strip_prefix('$')?;
    let end = tagged.find('$')?;
    let tag = &tagged[..end];
    let is_tag = tag.chars().all(|c| is_word(c) || c.is_ascii_digit())
        && !tag.starts_with(|c: char| c.is_ascii_digit());
    if !is_tag {
        return None;
    }
    let close = format!("${tag}$");
    let inside = &tagged[end + 1..];
    let length = inside.find(&close).unwrap_or(inside.len());
    Some((inside[..length].to_owned(), inside.get(length + close.len()..).unwrap_or("")))
}

/// What stands before the closing quote; a doubled quote is one of the text.
fn quoted(inside: &str, quote: char, has_escapes: bool) -> (String, &str) {
    let mut text = String::new();
    let mut chars = inside.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && has_escapes {
            text.extend(chars.next().map(|(_, escaped)| escaped));
        } else if c != quote {
            text.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            text.push(quote);
            chars.next();
        } else {
            return (text, &inside[at + quote.len_utf8()..]);
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tree::Tree;
    use super::*;

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(?s).{0,60}", sql in "([a-zé'\"$/*.,;:=()>#-]|new|insert into |truncate |into |--|\\$\\$){0,30}") {
            for text in [text, sql] {
                let _body = Body::read(&text);
                let _seen = (claims_of(&text), shows_openly(&text), equalities(&text), Tree::parse(&text));
            }
        }

        #[test]
        fn a_name_is_found_wherever_it_stands(before in "[a-z ,.;()=']{0,20}", after in "[ ,.;()=][a-z ,.;()=']{0,20}") {
            let quotes = before.matches('\'').count();
            prop_assume!(quotes % 2 == 0);
            let body = Body::read(&format!("{before} needle{after}"));
            prop_assert!(body.chains.iter().any(|chain| chain.names.iter().any(|name| name == "needle")));
        }
    }

    fn shown(text: &str) -> String {
        let word = |token: &Token| match token {
            Token::Word(word) => word.clone(),
            Token::Quoted(name) => format!("<{name}>"),
            Token::Text(text) => format!("'{text}'"),
            Token::Number => "#".to_owned(),
            Token::Symbol(symbol) => (*symbol).to_owned(),
            Token::Other(other) => format!("?{other}"),
        };
        tokens(text).iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_text_becomes_words() {
        for (text, expected) in [
            ("SELECT a.B from \"C\"\"d\"", "select a . b from <C\"d>"),
            ("x -- from y\n, 'it''s' /* from /* z */ */;", "x , 'it's' ;"),
            ("E'a\\'b' $$from t$$ $q$ $$ $q$ $1 1.5e3", "'a'b' 'from t' ' $$ ' # # . #"),
            ("new.a := b::text->>'c'", "new . a := b :: text ->> 'c'"),
            ("größe$1 $a", "größe$1 ?$ a"),
            ("'open", "'open'"),
            ("/* open", ""),
            ("$$open", "'open'"),
            ("\u{c9}T\u{c9}", "\u{c9}t\u{c9}"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
