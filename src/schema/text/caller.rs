//! What of a caller does an expression look at?

use std::collections::BTreeMap;

use crate::rules::Caller;

use super::{Token, tokens};

/// Functions of Supabase that read one claim: schema, name, claim.
const CLAIM_FUNCTIONS: [(&str, &str, &str); 3] =
    [("auth", "uid", "sub"), ("auth", "role", "role"), ("auth", "email", "email")];

/// Words that stand for the role.
const ROLE_WORDS: [&str; 5] = ["current_user", "current_role", "session_user", "user", "pg_has_role"];

/// Settings that PostgREST makes of a request.
const CLAIMS: &str = "request.jwt.claims";
const CLAIM: &str = "request.jwt.claim.";
const HEADERS: &str = "request.headers";
const REQUEST: &str = "request.";

/// Reads which claims and headers an expression or a body looks at. Functions that it calls are not
/// followed, apart from those of Supabase.
pub(in super::super) fn claims_of(text: &str) -> Caller {
    let tokens = tokens(text);
    let mut caller = Caller::default();
    for (at, token) in tokens.iter().enumerate() {
        let Some(name) = token.name() else { continue };
        let follows =
            |ahead: usize, symbol: &'static str| tokens.get(at + ahead) == Some(&Token::Symbol(symbol));
        let schema =
            (at > 1 && tokens[at - 1] == Token::Symbol(".")).then(|| tokens[at - 2].name()).flatten();
        if let (Token::Word(word), None) = (token, schema)
            && ROLE_WORDS.contains(&word.as_str())
        {
            caller.claims.insert("role".to_owned());
        }
        if !follows(1, "(") {
            continue;
        }
        let known =
            CLAIM_FUNCTIONS.iter().find(|(own, function, _)| schema == Some(own) && name == *function);
        if let Some((_, _, claim)) = known {
            caller.claims.insert((*claim).to_owned());
        } else if schema == Some("auth") && name == "jwt" {
            let path = path(&tokens, at + 3);
            look(&mut caller, path);
        } else if name == "current_setting" {
            setting(&mut caller, &tokens, at);
        }
    }
    caller
}

/// Is this one of the functions that [`claims_of`] knows? Their texts need no reading.
pub(in super::super) fn is_known(schema: &str, name: &str) -> bool {
    schema == "auth" && (name == "jwt" || CLAIM_FUNCTIONS.iter().any(|(_, function, _)| *function == name))
}

fn look(caller: &mut Caller, path: Option<String>) {
    match path {
        Some(path) => drop(caller.claims.insert(path)),
        None => caller.anything = true,
    }
}

/// `current_setting('request.jwt.claims', true)`, with whatever is taken out of it.
fn setting(caller: &mut Caller, tokens: &[Token], at: usize) {
    let Some(Token::Text(name)) = tokens.get(at + 2) else {
        caller.anything = true;
        return;
    };
    let end = tokens[at..].iter().position(|token| *token == Token::Symbol(")"));
    let after = end.map_or(tokens.len(), |end| at + end + 1);
    if name == CLAIMS {
        let path = path(tokens, after);
        look(caller, path);
    } else if name == HEADERS {
        caller.headers.insert(path(tokens, after).unwrap_or_else(|| "*".to_owned()));
    } else if let Some(claim) = name.strip_prefix(CLAIM) {
        caller.claims.insert(claim.to_owned());
    } else if name == "role" {
        caller.claims.insert("role".to_owned());
    } else if name.starts_with(REQUEST) || !name.starts_with("pgrst.") {
        // the method and path are part of every question; a setting of the operator's own is not known
        caller.anything |= !["request.method", "request.path"].contains(&name.as_str());
    }
}

/// The names taken out of a JSON value by `->`, `->>`, `#>` or `#>>`; `None` if all of it is used.
fn path(tokens: &[Token], mut at: usize) -> Option<String> {
    let mut path: Vec<String> = Vec::new();
    loop {
        match (tokens.get(at), tokens.get(at + 1)) {
            (Some(Token::Symbol("::")), Some(_)) => at += 2,
            (Some(Token::Symbol(")")), _) => at += 1,
            // nullif(…, '')
            (Some(Token::Symbol(",")), Some(Token::Text(empty))) if empty.is_empty() && path.is_empty() => {
                at += 2;
            }
            (Some(Token::Symbol("->" | "->>")), Some(Token::Text(name))) => {
                path.push(name.clone());
                at += 2;
            }
            (Some(Token::Symbol("#>" | "#>>")), Some(Token::Text(names))) => {
                let names = names.trim_matches(|c| c == '{' || c == '}');
                path.extend(names.split(',').map(|name| name.trim_matches('"').to_owned()));
                at += 2;
            }
            _ => break,
        }
    }
    let is_plain = |name: &String| !name.is_empty() && !name.contains('.');
    (!path.is_empty() && path.iter().all(is_plain)).then(|| path.join("."))
}

/// Rows that an expression lets through whatever the caller is like: column → value, for one of the
/// parts that `or` joins; all rows if it is `true`. `None` where no such rows are known.
pub(in super::super) fn shows_openly(expression: &str) -> Option<BTreeMap<String, String>> {
    let tokens = tokens(expression);
    if matches!(&tokens[..], [only] if only.is("true")) {
        return Some(BTreeMap::new());
    }
    let parts = split(stripped(&tokens), "or", "and");
    parts.into_iter().find_map(|part| equality(stripped(part))).map(|pair| BTreeMap::from([pair]))
}

/// What a definition's one outermost `where` asks of columns, where nothing but `and` joins it.
pub(in super::super) fn equalities(definition: &str) -> BTreeMap<String, String> {
    let tokens = tokens(definition);
    let Some(from) = tokens.iter().position(|token| token.is("where")) else { return BTreeMap::new() };
    let ends =
        ["group", "order", "limit", "offset", "window", "having", "union", "intersect", "except", "for"];
    let is_end = |token: &Token| *token == Token::Symbol(";") || ends.iter().any(|end| token.is(end));
    let condition = &tokens[from + 1..];
    let to = condition.iter().position(is_end).unwrap_or(condition.len());
    let is_one = !tokens.iter().skip(from + 1).any(|token| token.is("where") || token.is("union"));
    if !is_one {
        return BTreeMap::new();
    }
    let parts = split(stripped(&condition[..to]), "and", "or");
    parts.into_iter().filter_map(|part| equality(stripped(part))).collect()
}

/// `column = 'text'::type`.
fn equality(tokens: &[Token]) -> Option<(String, String)> {
    let tokens = match tokens {
        // (column)::text, as varchar is compared
        [Token::Symbol("("), column, Token::Symbol(")"), Token::Symbol("::"), kind, rest @ ..]
            if kind.is("text") =>
        {
            return equality_of(column, rest);
        }
        tokens => tokens,
    };
    match tokens {
        [_, Token::Symbol("."), column, rest @ ..] | [column, rest @ ..] => equality_of(column, rest),
        [] => None,
    }
}

fn equality_of(column: &Token, rest: &[Token]) -> Option<(String, String)> {
    match rest {
        [Token::Symbol("="), Token::Text(value), Token::Symbol("::"), kind] if kind.is("text") => {
            Some((column.name()?.to_owned(), value.clone()))
        }
        _ => None,
    }
}

/// Without the brackets that enclose all of it.
fn stripped(mut tokens: &[Token]) -> &[Token] {
    while let [Token::Symbol("("), inside @ .., Token::Symbol(")")] = tokens {
        let mut depth = 0_i32;
        let is_one = inside.iter().all(|token| {
            depth += bracket(token);
            depth >= 0
        });
        if !is_one {
            break;
        }
        tokens = inside;
    }
    tokens
}

/// The parts that one word joins; none where the other word stands beside it.
fn split<'t>(tokens: &'t [Token], by: &str, other: &str) -> Vec<&'t [Token]> {
    let mut depth = 0_i32;
    let mut is_mixed = false;
    let parts = tokens.split(|token| {
        depth += bracket(token);
        is_mixed |= depth == 0 && token.is(other);
        depth == 0 && token.is(by)
    });
    let parts: Vec<_> = parts.collect();
    if is_mixed { Vec::new() } else { parts }
}

fn bracket(token: &Token) -> i32 {
    match token {
        Token::Symbol("(") => 1,
        Token::Symbol(")") => -1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_at(text: &str) -> String {
        let caller = claims_of(text);
        let mut all: Vec<String> = caller.claims.into_iter().collect();
        all.extend(caller.headers.into_iter().map(|header| format!("header {header}")));
        all.extend(caller.anything.then(|| "anything".to_owned()));
        all.join(", ")
    }

    #[test]
    fn claims_are_found_however_they_are_read() {
        for (text, expected) in [
            ("(owner_id = auth.uid())", "sub"),
            ("(owner_id = ( SELECT auth.uid() AS uid))", "sub"),
            ("(auth.role() = 'authenticated'::text)", "role"),
            (
                "(tenant = (((auth.jwt() -> 'app_metadata'::text) ->> 'tenant_id'::text))::uuid)",
                "app_metadata.tenant_id",
            ),
            ("((auth.jwt() #>> '{app_metadata,team}'::text[]) = team)", "app_metadata.team"),
            ("(auth.jwt() = '{}'::jsonb)", "anything"),
            ("current_setting('request.jwt.claims', true)::json->>'org'", "org"),
            ("(nullif(current_setting('request.jwt.claims', true), '')::json->>'sub')::uuid", "sub"),
            ("current_setting('request.jwt.claim.sub', true)", "sub"),
            ("current_setting('request.headers', true)::json->>'x-tenant'", "header x-tenant"),
            ("current_setting('app.tenant')", "anything"),
            ("current_setting(name)", "anything"),
            ("(CURRENT_USER = 'editor'::name)", "role"),
            ("(status = 'published'::text)", ""),
            ("'auth.uid()'", ""),
        ] {
            assert_eq!(looked_at(text), expected, "{text}");
        }
    }

    #[test]
    fn rows_that_everybody_sees_are_found() {
        let shown = |text: &str| {
            let pairs = shows_openly(text)?.into_iter();
            Some(pairs.map(|(column, value)| format!("{column}={value}")).collect::<Vec<_>>().join(","))
        };
        for (text, expected) in [
            ("true", Some("")),
            ("((status = 'published'::text) OR (owner_id = auth.uid()))", Some("status=published")),
            ("(owner_id = auth.uid())", None),
            ("((owner_id = auth.uid()) AND (status = 'published'::text))", None),
            ("(((a = 'x'::text) OR (b = auth.uid())) AND c)", None),
            ("(status = 'published'::text)", Some("status=published")),
            ("((status)::text = 'published'::text)", Some("status=published")),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text}");
        }
    }
}
