//! Which names stand in the text of a function, and what does it do to them?

use std::collections::BTreeSet;

use super::{Token, tokens};

/// Names joined by dots: `schema.table`, `table.column`, `function`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Chain {
    /// The names; the first is empty where something else stands before the first dot.
    pub(in super::super) names: Vec<String>,
    /// A `(` follows.
    pub(in super::super) is_called: bool,
}

/// What can be found in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Body {
    /// Every name.
    pub(in super::super) chains: BTreeSet<Chain>,
    /// What it inserts into, updates, deletes from or empties.
    pub(in super::super) written: BTreeSet<Chain>,
    /// Empties tables, and with them all that refer to them.
    pub(in super::super) truncates_on: bool,
    /// Why its names may not be all.
    pub(in super::super) doubt: Option<&'static str>,
    /// Columns of the row at hand that it sets; `None` if it may set any.
    pub(in super::super) sets: Option<BTreeSet<String>>,
}

/// Words that no text can be trusted with.
const DOUBTFUL: [(&str, &str); 9] = [
    ("execute", "it runs SQL that it puts together"),
    ("prepare", "it runs SQL that it puts together"),
    ("create", "it changes the schema"),
    ("alter", "it changes the schema"),
    ("drop", "it changes the schema"),
    ("grant", "it changes rights"),
    ("revoke", "it changes rights"),
    ("copy", "it copies from or to a file"),
    ("import", "it changes the schema"),
];

/// Words before `update` that make it no statement: `for update`, `on conflict do update`.
const NO_STATEMENT: [&str; 4] = ["for", "key", "do", "or"];

impl Body {
    /// Looks through a text.
    pub(in super::super) fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let mut body = Self { sets: Some(BTreeSet::new()), ..Self::default() };
        let mut at = 0;
        while at < tokens.len() {
            body.judge(&tokens, at);
            match chain(&tokens, at) {
                Some((chain, after)) => {
                    body.chains.insert(chain);
                    at = after;
                }
                None => at += 1,
            }
        }
        body.read_sets(&tokens);
        body
    }

    /// What the word at this place means for writes and doubts.
    fn judge(&mut self, tokens: &[Token], at: usize) {
        let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is(word));
        let before = |words: &[&str]| at > 0 && words.iter().any(|word| tokens[at - 1].is(word));
        let Token::Word(word) = &tokens[at] else { return };
        if at > 0 && tokens[at - 1] == Token::Symbol(".") {
            return; // a column
        }
        let target = match word.as_str() {
            "insert" | "merge" if is(at + 1, "into") => Some(at + 2),
            "delete" if is(at + 1, "from") => Some(at + 2),
            // `merge … then update set` has its table elsewhere
            "update" if !before(&NO_STATEMENT) && !is(at + 1, "set") => Some(at + 1),
            "truncate" => {
                self.truncates_on |= tokens[at..].iter().any(|token| token.is("cascade"));
                self.write_list(tokens, if is(at + 1, "table") { at + 2 } else { at + 1 });
                None
            }
            "refresh" if is(at + 1, "materialized") => {
                Some(if is(at + 3, "concurrently") { at + 4 } else { at + 3 })
            }
            "do" if matches!(tokens.get(at + 1), Some(Token::Text(_))) => {
                self.doubt = Some("it runs another text");
                None
            }
            "u" if tokens.get(at + 1) == Some(&Token::Other('&')) => {
                self.doubt = Some("it spells names in escapes");
                None
            }
            word => {
                let found = DOUBTFUL.iter().find(|(doubtful, _)| *doubtful == word);
                self.doubt = found.map(|(_, reason)| *reason).or(self.doubt);
                None
            }
        };
        if let Some(target) = target {
            self.write(tokens, target);
        }
    }

    fn write(&mut self, tokens: &[Token], mut at: usize) -> usize {
        if tokens.get(at).is_some_and(|token| token.is("only")) {
            at += 1;
        }
        match chain(tokens, at) {
            Some((chain, after)) => {
                self.written.insert(Chain { is_called: false, ..chain });
                after
            }
            None => {
                self.doubt = Some("what it writes to was not understood");
                at + 1
            }
        }
    }

    fn write_list(&mut self, tokens: &[Token], mut at: usize) {
        loop {
            at = self.write(tokens, at);
            if tokens.get(at) == Some(&Token::Other('*')) {
                at += 1;
            }
            if tokens.get(at) != Some(&Token::Symbol(",")) {
                return;
            }
            at += 1;
        }
    }

    /// Columns of `new` that stand before `:=` or behind `into`; any, if `new` is set as a whole or what
    /// is returned is another row.
    fn read_sets(&mut self, tokens: &[Token]) {
        let mut is_into = false;
        for (at, token) in tokens.iter().enumerate() {
            is_into = token.is("into") || (is_into && *token != Token::Symbol(";"));
            let next = |ahead: usize| tokens.get(at + ahead);
            if token.is("return") {
                let returned =
                    next(1).is_some_and(|token| ["new", "old", "null"].iter().any(|row| token.is(row)));
                if !returned || next(2) != Some(&Token::Symbol(";")) {
                    self.sets = None;
                }
            }
            if !token.is("new") || (at > 0 && tokens[at - 1] == Token::Symbol(".")) {
                continue;
            }
            if at > 0 && ["for", "foreach"].iter().any(|word| tokens[at - 1].is(word)) {
                self.sets = None;
            }
            // a field or an element of a column is set with the column
            let is_set = |token: Option<&Token>| {
                is_into || matches!(token, Some(Token::Symbol(":=" | "=" | ".") | Token::Other('[')))
            };
            match (next(1), next(2)) {
                (Some(Token::Symbol(".")), Some(column)) => {
                    if is_set(next(3))
                        && let (Some(sets), Some(column)) = (&mut self.sets, column.name())
                    {
                        sets.insert(column.to_owned());
                    }
                }
                (token, _)
                    if is_into
                        || token == Some(&Token::Symbol(":="))
                        || token == Some(&Token::Symbol("=")) =>
                {
                    self.sets = None;
                }
                _ => {}
            }
        }
    }
}

/// Names joined by dots from this place on, and the place behind them.
fn chain(tokens: &[Token], from: usize) -> Option<(Chain, usize)> {
    let mut names = vec![tokens.get(from)?.name()?.to_owned()];
    if from > 0 && tokens[from - 1] == Token::Symbol(".") {
        names.insert(0, String::new());
    }
    let mut at = from + 1;
    while tokens.get(at) == Some(&Token::Symbol("."))
        && let Some(name) = tokens.get(at + 1).and_then(Token::name)
    {
        names.push(name.to_owned());
        at += 2;
    }
    let is_called = tokens.get(at) == Some(&Token::Symbol("("));
    Some((Chain { names, is_called }, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Vec<String> {
        Body::read(text).written.iter().map(|chain| chain.names.join(".")).collect()
    }

    #[test]
    fn what_is_written_is_found() {
        for (text, expected) in [
            ("insert into a.b (c) values (1); UPDATE ONLY d AS e SET f = 1; delete from \"G\"", "G a.b d"),
            ("select 1 from t for update; insert into a on conflict (id) do update set b = 1", "a"),
            ("select for no key update", ""),
            ("merge into m using n on true when matched then delete", "m"),
            ("merge into m using n on true when matched then update set a = 1", "m"),
            ("truncate table a, only b, c*", "a b c"),
            ("refresh materialized view concurrently v", "v"),
            ("with gone as (delete from a returning *) select * from gone", "a"),
            ("if tg_op = 'UPDATE' then return new; end if", ""),
        ] {
            assert_eq!(written(text).join(" "), expected, "{text}");
        }
        assert!(Body::read("truncate a cascade").truncates_on);
    }

    #[test]
    fn what_no_text_can_tell_is_doubted() {
        for text in [
            "begin execute 'select 1'; end",
            "begin EXECUTE format('delete from %I', t); end",
            "create temp table x (id int)",
            "do $$ begin end $$",
            "select * from U&\"d\\0061t\"",
            "update $1 set x = 1",
        ] {
            assert!(Body::read(text).doubt.is_some(), "{text}");
        }
        for text in ["select 'execute', t.drop from t", "insert into a values (1) on conflict do nothing"] {
            assert_eq!(Body::read(text).doubt, None, "{text}");
        }
    }

    #[test]
    fn what_a_trigger_sets_is_found() {
        let sets =
            |text: &str| Body::read(text).sets.map(|sets| sets.into_iter().collect::<Vec<_>>().join(" "));
        for (text, expected) in [
            ("begin new.updated_at = now(); NEW.b := 1; return new; end", Some("b updated_at")),
            ("begin insert into log values (new.id, new.city); return new; end", Some("city id")),
            ("begin select max(n) into new.n from t; return new; end", Some("n")),
            ("begin perform f(new.id); return null; end", Some("")),
            ("begin new := old; return new; end", None),
            ("begin return row(1, 2); end", None),
            ("declare r t; begin r := new; return r; end", None),
        ] {
            assert_eq!(sets(text).as_deref(), expected, "{text}");
        }
    }
}
