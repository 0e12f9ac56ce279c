//! Which relations does a request name: known exactly, or not known.
//!
//! What a name in `select` stands for (a table, a view, a column, a constraint,
//! a function) only the schema knows, and a many-to-many embed reads a junction
//! table that no URL shows. So this lists names and guesses nothing.

use super::filter::{Filter, Logic, parse_tree_path};
use super::operator::Expression;
use super::order::Order;
use super::parameter::Role;
use super::query::Query;
use super::resource::Resource;
use super::select::{Placement, Select};

/// What a request names besides its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Every embed at every depth, parents before children.
    Known(Vec<Embed>),
    /// Something was not understood: the answer may depend on anything.
    Opaque,
}

/// One embed of a `select`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embed {
    /// The targets from the path's table, itself not included, down to the parent; empty at the top.
    pub path: Vec<String>,
    /// The embed's name as written: a table, view, column, constraint or function.
    pub target: String,
    /// What chooses between several relationships: a constraint, a column or a junction table.
    pub hints: Vec<String>,
    /// Whether its columns are spread among the parent's.
    pub is_spread: bool,
}

impl Embed {
    /// The target of the embed that this one stands in; `None` in the path's own relation.
    pub fn parent(&self) -> Option<&str> {
        self.path.last().map(String::as_str)
    }

    /// The embed as an operator names it: its target and its hints, as in `customers!billing`.
    pub fn written(&self) -> String {
        self.hints.iter().fold(self.target.clone(), |written, hint| written + "!" + hint)
    }
}

impl Reads {
    /// Reads every parameter that can name a relation or hide one.
    pub fn of(resource: &Resource, query: &Query<'_>) -> Self {
        let takes_arguments = matches!(resource, Resource::Function(_));
        let is_understood = |pair: &(&str, Option<&str>)| is_understood(pair.0, pair.1, takes_arguments);
        if !query.is_utf8() || !query.parameters().all(|pair| is_understood(&pair)) {
            return Self::Opaque;
        }
        let mut embeds = Vec::new();
        match query.select().map(Select::parse) {
            None => {}
            Some(Ok(select)) => list_embeds(&select, &mut Vec::new(), &mut embeds),
            Some(Err(_)) => return Self::Opaque,
        }
        Self::Known(embeds)
    }
}

fn is_understood(name: &str, value: Option<&str>, takes_arguments: bool) -> bool {
    // PostgREST drops what has no value
    let Some(value) = value else {
        return true;
    };
    match Role::of(name) {
        // a `select` is read once, as a whole; the other two decide nothing about reads
        Role::Select | Role::Columns | Role::OnConflict => true,
        // a value that is no number is no limit
        Role::Limit | Role::Offset => parse_tree_path(name).is_ok(),
        Role::Order => parse_tree_path(name).is_ok() && Order::parse(value).is_ok(),
        Role::Logic => Logic::parse(name, value).is_ok(),
        // a function takes what is no operator for an argument
        Role::Filter if takes_arguments => parse_tree_path(name).is_ok(),
        Role::Filter => Filter::parse(name, value).is_ok(),
    }
}

fn list_embeds(select: &Select<'_>, path: &mut Vec<String>, embeds: &mut Vec<Embed>) {
    for relation in select.relations() {
        embeds.push(Embed {
            path: path.clone(),
            target: relation.target.to_string(),
            hints: relation.hints().map(str::to_owned).collect(),
            is_spread: relation.placement == Placement::Spread,
        });
        path.push(relation.target.to_string());
        list_embeds(&relation.select, path, embeds);
        path.pop();
    }
}

/// Whether a function's parameter is an argument of it: it is a filter where its value is an operator.
pub fn is_argument(value: &str) -> bool {
    Expression::parse(value).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(raw: &str) -> Reads {
        Reads::of(&Resource::Table("orders".to_owned()), &Query::parse(Some(raw)))
    }

    fn embeds(raw: &str) -> Option<Vec<String>> {
        let shown = |embed: &Embed| {
            let spread = if embed.is_spread { "..." } else { "" };
            let hints: String = embed.hints.iter().map(|hint| format!("!{hint}")).collect();
            format!("{}/{spread}{}{hints}", embed.path.join("/"), embed.target)
        };
        match reads(raw) {
            Reads::Known(embeds) => Some(embeds.iter().map(shown).collect()),
            Reads::Opaque => None,
        }
    }

    #[test]
    fn trap_74_every_embed_at_every_depth_is_listed() {
        for (raw, expected) in [
            ("", vec![]),
            ("select=*,data->x,count()", vec![]),
            ("select=*,customer:customers(*)", vec!["/customers"]),
            ("select=a!x!inner(b(*,...c!y(d)),e()),f(*)", vec!["/a!x", "a/b", "a/b/...c!y", "a/e", "/f"]),
            ("select=%61(*)&a.id=eq.1&a.order=id&a.limit=x", vec!["/a"]),
            ("select=id&select=a(*)", vec![]),
            ("columns=)&x&limit=abc", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(embeds(raw), Some(expected), "{raw:?}");
        }
    }

    #[test]
    fn trap_26_what_is_not_understood_to_its_end_may_read_anything() {
        for raw in [
            "select=id)junk",
            "id=is.nullxyz",
            "id=in.(1)x",
            "or=(a.eq.1)x",
            "order=id)",
            "a..order=id",
            "a..limit=1",
            "_=123",
            "name=eq.%ff",
        ] {
            assert_eq!(reads(raw), Reads::Opaque, "{raw:?}");
        }
    }

    #[test]
    fn a_function_takes_arguments() {
        let function = Resource::Function("search".to_owned());
        let reads = |raw| Reads::of(&function, &Query::parse(Some(raw)));
        assert_eq!(reads("city=Dakar&price=lt.5"), Reads::Known(Vec::new()));
        assert_eq!(reads("a..b=1"), Reads::Opaque);
        assert!(is_argument("Dakar"));
        assert!(!is_argument("lt.5"));
    }

    #[test]
    fn an_embed_knows_its_parent() {
        let Reads::Known(embeds) = reads("select=a(b(*))") else { panic!("understood") };
        assert_eq!(embeds.iter().map(Embed::parent).collect::<Vec<_>>(), [None, Some("a")]);
    }
}
