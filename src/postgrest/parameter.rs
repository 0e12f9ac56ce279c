//! What does a query parameter mean, by its name?
//!
//! PostgREST looks at the plain text behind the last dot, quotes not honoured,
//! before it parses anything.

/// What a parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `select`: the shape of the answer. The first counts.
    Select,
    /// `columns`: the keys of a body that count. The first counts.
    Columns,
    /// `on_conflict`: the columns that decide an upsert. The first counts.
    OnConflict,
    /// `order`, of the root or of an embed. The first of each counts.
    Order,
    /// `limit`, of the root or of an embed. The last of each counts; not a number is no limit.
    Limit,
    /// `offset`, as `limit`.
    Offset,
    /// `and`, `or` and their negations. All count.
    Logic,
    /// Anything else: a filter, or for a function perhaps an argument. All count.
    Filter,
}

impl Role {
    /// Classifies a decoded name.
    pub fn of(name: &str) -> Self {
        let last = match name.as_bytes().iter().rposition(|&byte| byte == b'.') {
            Some(dot) => &name[dot + 1..],
            None => match name {
                "select" => return Self::Select,
                "columns" => return Self::Columns,
                "on_conflict" => return Self::OnConflict,
                _ => name,
            },
        };
        match last {
            "order" => Self::Order,
            "limit" => Self::Limit,
            "offset" => Self::Offset,
            "and" | "or" => Self::Logic,
            _ => Self::Filter,
        }
    }

    /// Whether the value may hold what rows are compared with, or a function's argument.
    pub fn restricts_rows(self) -> bool {
        match self {
            Self::Logic | Self::Filter => true,
            Self::Select | Self::Columns | Self::OnConflict | Self::Order | Self::Limit | Self::Offset => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles() {
        for (name, role) in [
            ("select", Role::Select),
            ("a.select", Role::Filter),
            ("columns", Role::Columns),
            ("on_conflict", Role::OnConflict),
            ("order", Role::Order),
            ("a.b.order", Role::Order),
            ("limit", Role::Limit),
            ("a.offset", Role::Offset),
            ("or", Role::Logic),
            ("a.not.and", Role::Logic),
            ("\"a.or\"", Role::Filter),
            ("\"a.or", Role::Logic),
            ("Select", Role::Filter),
            ("_", Role::Filter),
            ("", Role::Filter),
        ] {
            assert_eq!(Role::of(name), role, "{name:?}");
        }
    }

    #[test]
    fn trap_21_every_unknown_parameter_is_a_filter() {
        assert_eq!(Role::of("utm"), Role::Filter);
        assert_eq!(Role::of("_"), Role::Filter);
    }
}
