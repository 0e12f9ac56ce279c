//! What does a tag mean, in words?

use crate::key::Tag;
use crate::rules::RuleSet;

/// Why an entry carries a tag.
pub(super) fn why_carried(tag: &Tag, rules: &RuleSet) -> String {
    match split(tag) {
        ("everything", _) => "a write of unknown reach".to_owned(),
        ("any-table", _) => {
            "something in it no schema names: any table's write that no rule narrows".to_owned()
        }
        ("namespace", name) => format!("all of the namespace {name}"),
        ("key", _) => "this key".to_owned(),
        ("table", name) => format!("a write to {} that no rule narrows", rows(name)),
        ("pattern", pattern) => pattern_words(pattern, rules),
        ("soft", of) => format!("{}, softly", why_carried(&Tag::of_text(of), rules)),
        (_, _) => String::new(),
    }
}

/// What a write takes away by a tag.
pub(super) fn what_goes(tag: &Tag) -> String {
    match split(tag) {
        ("everything", _) => "every entry".to_owned(),
        ("any-table", _) => "every entry that reads something no schema names".to_owned(),
        ("namespace", name) => format!("every key of the namespace {name}"),
        ("key", name) => format!("the key {name}"),
        ("table", name) => format!("every entry that reads {}", rows(name)),
        ("pattern", pattern) => match values(pattern).as_slice() {
            [] => "every key under the pattern".to_owned(),
            _ => format!("keys under the pattern where {}", value_words(pattern, "anything")),
        },
        ("soft", of) => format!("{}, once they were served once more", what_goes(&Tag::of_text(of))),
        (_, _) => String::new(),
    }
}

/// A table, or the rows of it that a tag stands for.
fn rows(name: &str) -> String {
    if let Some(table) = name.strip_suffix("#unpinned") {
        return format!("rows of {table} and names none of them");
    }
    let (place, value) = name.split_once('=').map_or((name, None), |(place, value)| (place, Some(value)));
    let mut parts = place.splitn(3, '.');
    match (parts.next(), parts.next(), parts.next(), value) {
        (Some(schema), Some(table), Some(column), Some(value)) => {
            format!("rows of {schema}.{table} whose {column} is {value}")
        }
        (Some(schema), Some(table), Some(column), None) => {
            format!("rows of {schema}.{table} by their {column}")
        }
        (_, _, _, _) => name.to_owned(),
    }
}

fn split(tag: &Tag) -> (&str, &str) {
    tag.as_str().split_once(':').unwrap_or((tag.as_str(), ""))
}

/// The rules that write the pattern, and the values that it caught.
fn pattern_words(pattern: &str, rules: &RuleSet) -> String {
    let text = pattern.split('#').next().unwrap_or_default();
    let is_writer = |rule: &&std::sync::Arc<crate::rules::WriteRule>| {
        rule.invalidation.all().any(|(written, _)| written.as_str() == text)
    };
    let writers: Vec<&str> = rules.write_rules().iter().filter(is_writer).map(|rule| &*rule.name).collect();
    let by = format!("by {}", writers.join(", "));
    if values(pattern).is_empty() {
        by
    } else {
        format!("{by} where {}", value_words(pattern, "not known to the write"))
    }
}

/// `{id} is 5`, `{city} is anything`.
fn value_words(pattern: &str, any: &str) -> String {
    let text = pattern.split('#').next().unwrap_or_default();
    let names = text.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let pairs = names.zip(values(pattern)).map(|(name, value)| match value.strip_prefix('=') {
        Some(value) => format!("{{{name}}} is {value}"),
        None => format!("{{{name}}} is {any}"),
    });
    pairs.collect::<Vec<_>>().join(" and ")
}

/// What stands for the placeholders: `=5`, or `*` for any.
fn values(pattern: &str) -> Vec<&str> {
    pattern.split('#').skip(1).collect()
}

#[cfg(test)]
mod tests {
    use crate::key::Table;

    use super::*;

    #[test]
    fn a_tag_says_which_rows_go_with_it() {
        let todos = Table::new("public", "todos");
        for (tag, words) in [
            (Tag::everything(), "every entry"),
            (Tag::any_table(), "every entry that reads something no schema names"),
            (Tag::table(&todos), "every entry that reads public.todos"),
            (
                Tag::table(&todos).softly(),
                "every entry that reads public.todos, once they were served once more",
            ),
            (Tag::unpinned(&todos), "every entry that reads rows of public.todos and names none of them"),
            (Tag::column(&todos, "owner"), "every entry that reads rows of public.todos by their owner"),
            (Tag::row(&todos, "id", "5"), "every entry that reads rows of public.todos whose id is 5"),
            (
                Tag::row(&todos, "title", "a.b=c"),
                "every entry that reads rows of public.todos whose title is a.b=c",
            ),
        ] {
            assert_eq!(what_goes(&tag), words);
        }
    }
}
