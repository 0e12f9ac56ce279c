//! How is a table written so that no two tables are written alike?
//!
//! `table` or `schema.table`. A part that holds a dot, a quote or nothing is
//! put between double quotes, as in SQL: `x."a.b"` is not `"x.a".b`. Nothing is
//! folded: `Todos` and `todos` are two tables.

use crate::key::Table;

/// Reads a name; without a schema it is in the default one. `None` if it is none.
pub(super) fn read(written: &str, default_schema: &str) -> Option<Table> {
    let (first, rest) = part(written)?;
    let (schema, name) = match rest.strip_prefix('.') {
        None if rest.is_empty() => (default_schema.to_owned(), first),
        None => return None,
        Some(rest) => match part(rest)? {
            (name, "") => (first, name),
            (_, _) => return None,
        },
    };
    (!schema.is_empty() && !name.is_empty()).then(|| Table::new(&schema, &name))
}

/// Writes a name with its schema.
pub fn written(table: &Table) -> String {
    format!("{}.{}", quoted(&table.schema), quoted(&table.name))
}

fn part(written: &str) -> Option<(String, &str)> {
    let Some(mut rest) = written.strip_prefix('"') else {
        let end = written.find('.').unwrap_or(written.len());
        let (plain, rest) = written.split_at(end);
        return (!plain.contains(['"', '*', '/'])).then(|| (plain.to_owned(), rest));
    };
    let mut name = String::new();
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, rest)),
        }
    }
}

fn quoted(part: &str) -> String {
    if part.is_empty() || part.contains(['.', '"', '*', '/']) {
        format!("\"{}\"", part.replace('"', "\"\""))
    } else {
        part.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_90_no_two_tables_are_written_alike() {
        for (text, schema, name) in [
            ("todos", "public", "todos"),
            ("Todos", "public", "Todos"),
            ("tenant.todos", "tenant", "todos"),
            ("x.\"a.b\"", "x", "a.b"),
            ("\"x.a\".b", "x.a", "b"),
            ("\"say \"\"hi\"\"\"", "public", "say \"hi\""),
            ("\"*\"", "public", "*"),
        ] {
            let table = Table::new(schema, name);
            assert_eq!(read(text, "public"), Some(table.clone()), "{text}");
            assert_eq!(read(&written(&table), "elsewhere"), Some(table), "{text}");
        }
        for text in ["", ".", "a.", ".b", "a.b.c", "a*", "a/b", "\"a", "\"a\"b", "a.\"\"", "a\"b"] {
            assert_eq!(read(text, "public"), None, "{text:?}");
        }
    }
}
