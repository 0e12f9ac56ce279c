//! What may an embed of a table lead to?
//!
//! PostgREST takes an embed's name for a table, a view, a constraint, a column
//! of the parent or a function, and its hint for a constraint, a column of
//! either side or a junction. Where it finds several it refuses; what is found
//! here is then all of them. So this finds at least what PostgREST finds.

use serde::Serialize;

use crate::key::Table;

/// One way from a table to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Relationship {
    /// Where it leads.
    #[serde(serialize_with = "super::learned::as_written")]
    pub to: Table,
    /// What makes the way.
    pub by: Link,
}

/// What makes the way from a table to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Link {
    /// A foreign key, in either direction.
    Key {
        /// The constraint.
        name: String,
        /// Columns of this side.
        columns: Vec<String>,
        /// Columns of the other side.
        references: Vec<String>,
    },
    /// A table in between, whose primary key holds foreign keys to both sides.
    Junction(#[serde(serialize_with = "super::learned::as_written")] Table),
    /// A function that takes a row of this side.
    Call(#[serde(serialize_with = "super::learned::as_written")] Table),
}

impl Relationship {
    /// May PostgREST follow it for an embed with this name and these hints?
    pub fn answers(&self, target: &str, hints: &[String]) -> bool {
        let is_target = match &self.by {
            Link::Key { name, columns, .. } => {
                target == &*self.to.name || target == name || is_only(columns, target)
            }
            Link::Junction(_) => target == &*self.to.name,
            Link::Call(function) => return target == &*function.name,
        };
        is_target && hints.iter().all(|hint| self.fits(hint))
    }

    fn fits(&self, hint: &str) -> bool {
        match &self.by {
            Link::Key { name, columns, references } => {
                hint == name || is_only(columns, hint) || is_only(references, hint)
            }
            Link::Junction(junction) => hint == &*junction.name,
            Link::Call(_) => true,
        }
    }
}

fn is_only(columns: &[String], name: &str) -> bool {
    matches!(columns, [only] if only == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(relationship: &Relationship, embed: &str) -> bool {
        let mut words = embed.split('!').map(str::to_owned);
        let target = words.next().unwrap();
        relationship.answers(&target, &words.collect::<Vec<_>>())
    }

    #[test]
    fn every_form_of_an_embed_is_followed() {
        let table = |name| Table::new("public", name);
        let key = Relationship {
            to: table("addresses"),
            by: Link::Key {
                name: "billing".into(),
                columns: vec!["billing_id".into()],
                references: vec!["id".into()],
            },
        };
        for embed in [
            "addresses",
            "billing",
            "billing_id",
            "addresses!billing",
            "addresses!billing_id",
            "addresses!id",
            "billing_id!billing",
        ] {
            assert!(leads(&key, embed), "{embed}");
        }
        for embed in ["shipping", "id", "addresses!shipping", "addresses!roles"] {
            assert!(!leads(&key, embed), "{embed}");
        }
        let junction = Relationship { to: table("films"), by: Link::Junction(table("roles")) };
        assert!(leads(&junction, "films") && leads(&junction, "films!roles") && !leads(&junction, "roles"));
        let call = Relationship { to: table("films"), by: Link::Call(table("best_of")) };
        assert!(leads(&call, "best_of") && !leads(&call, "films"));
    }
}
