//! Does every placeholder of a name have a value when its rule matches?

use http::HeaderName;

use crate::key::{Placeholder, Scope};

use super::super::mistake::{Findings, Spot};
use super::super::path_glob::PathGlob;
use super::super::rule::Condition;

/// Most segments of a key or pattern. Matching them is quick because they are few.
const SEGMENTS_MAX: usize = 16;

/// Longest template, in bytes. Keys over 200 bytes are shortened anyway.
const TEMPLATE_BYTES_MAX: usize = 512;

/// Parameters that are no filters on a column of that name.
const NO_COLUMNS: [&str; 8] = ["select", "order", "limit", "offset", "columns", "on_conflict", "and", "or"];

/// Who issued a token is never ignored.
const ISSUER: &str = "iss";

/// Part of every scope by which verified callers share.
const ROLE: &str = "role";

/// What a read rule knows about the requests that it matches.
#[derive(Debug)]
pub(super) struct Given<'g> {
    pub(super) conditions: &'g [(String, Condition)],
    /// `None` if `match` is wrong, which is told already.
    pub(super) path: Option<&'g PathGlob>,
    pub(super) vary: &'g [HeaderName],
    /// `None` if `scope` is wrong, which is told already.
    pub(super) scope: Option<&'g Scope>,
    /// Claims that do not tell users apart.
    pub(super) ignored_claims: &'g [String],
}

/// Tells if a template is longer than any name needs to be.
pub(super) fn tell_too_long(text: &str, spot: &Spot, findings: &mut Findings<'_>) -> bool {
    let too_long = if text.split(':').nth(SEGMENTS_MAX).is_some() {
        format!("more than {SEGMENTS_MAX} segments")
    } else if text.len() > TEMPLATE_BYTES_MAX {
        format!("longer than {TEMPLATE_BYTES_MAX} bytes")
    } else {
        return false;
    };
    findings.mistake(spot, too_long);
    true
}

/// Checks a placeholder in the key of a read.
pub(super) fn check_read(
    placeholder: &Placeholder,
    given: &Given<'_>,
    spot: &Spot,
    findings: &mut Findings<'_>,
) {
    match placeholder {
        Placeholder::Query => {}
        Placeholder::Column(column) if NO_COLUMNS.contains(&column.as_str()) => {
            let message = format!("`{placeholder}` is not a column");
            findings.mistake_with_hint(spot, message, "`{query}` contains every parameter");
        }
        Placeholder::Column(column) if is_pinned(column, given.conditions) => {}
        Placeholder::Column(column) => {
            let message = format!("`{placeholder}` may have no value");
            findings.mistake_with_hint(spot, message, format!("add `where: {{ {column}: eq.* }}`"));
        }
        Placeholder::Path(index) => check_path(*index, given.path, spot, findings),
        Placeholder::Claim(path) => check_claim(path, given, spot, findings),
        Placeholder::Header(name) if given.vary.iter().any(|header| header.as_str() == name) => {}
        Placeholder::Header(name) => {
            let message = format!("`{placeholder}` is not sent upstream for this rule");
            findings.mistake_with_hint(spot, message, format!("add `vary: [{name}]`"));
        }
        Placeholder::Body(_) | Placeholder::Row(_) => {
            findings.mistake(spot, format!("`{placeholder}` has a value in write rules only"));
        }
    }
}

/// Checks a placeholder in a pattern of a write. Values that a write does not
/// tell are "any", so only what can never have one is wrong.
pub(super) fn check_write(
    placeholder: &Placeholder,
    path: Option<&PathGlob>,
    spot: &Spot,
    findings: &mut Findings<'_>,
) {
    match placeholder {
        Placeholder::Path(index) => check_path(*index, path, spot, findings),
        Placeholder::Column(_)
        | Placeholder::Claim(_)
        | Placeholder::Query
        | Placeholder::Header(_)
        | Placeholder::Body(_)
        | Placeholder::Row(_) => {}
    }
}

fn is_pinned(column: &str, conditions: &[(String, Condition)]) -> bool {
    conditions.iter().any(|(parameter, condition)| match condition {
        Condition::Matches(glob) => parameter == column && glob.glob().glob().starts_with("eq."),
        Condition::Present | Condition::Absent => false,
    })
}

fn check_path(index: usize, path: Option<&PathGlob>, spot: &Spot, findings: &mut Findings<'_>) {
    let Some(path) = path else { return };
    let places = path.wildcard_segments().len();
    if index <= places {
        return;
    }
    let placeholder = Placeholder::Path(index);
    if path.is_deep() {
        let hint = "only wildcard segments before the `**` can be named";
        findings.mistake_with_hint(spot, format!("`{placeholder}` has no certain place"), hint);
    } else {
        let message = format!("`{placeholder}` has no value: wildcard segments in `match`: {places}");
        findings.mistake(spot, message);
    }
}

/// Whoever shares an answer must share its key, or an invalidation by that key would miss it.
fn check_claim(path: &str, given: &Given<'_>, spot: &Spot, findings: &mut Findings<'_>) {
    let Some(scope) = given.scope else { return };
    let first = path.split('.').next().unwrap_or_default();
    let is_ignored = first != ISSUER && given.ignored_claims.iter().any(|ignored| ignored == first);
    let holds = match scope {
        Scope::User => !is_ignored,
        Scope::Claims(paths) => {
            [ISSUER, ROLE].contains(&path) || paths.iter().any(|whole| is_in(path, whole))
        }
        Scope::Role => path == ROLE,
        Scope::Public | Scope::Token => false,
    };
    if holds {
        return;
    }
    let why = match scope {
        Scope::User => format!("`{first}` is an ignored claim: it does not tell users apart"),
        Scope::Token => "nothing that a token says is verified under the scope `token`".to_owned(),
        Scope::Public | Scope::Role | Scope::Claims(_) => {
            format!("callers who share an answer under the scope `{}` may differ in it", scope.as_str())
        }
    };
    let hint = match (scope, is_ignored) {
        (Scope::Claims(_), _) => format!("add `{path}` to the claims of the scope"),
        (_, true) => format!("give the rule `scope: {{ claims: [{path}] }}`"),
        (_, false) => format!("give the rule `scope: user`, or `scope: {{ claims: [{path}] }}`"),
    };
    findings.mistake_with_hint(spot, format!("`{}`: {why}", Placeholder::Claim(path.into())), hint);
}

/// Whether a claim is this one or a part of it.
fn is_in(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
