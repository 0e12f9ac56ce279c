//! What do `lock`, `idempotency` and `limits` say, field by field? A part of the document.

use super::fields::{At, Fields, text, texts};
use super::mistake::{Findings, Spot};
use super::yaml::{Node, Value};

/// The value of `lock`.
#[derive(Debug)]
pub(super) struct LockEntry {
    pub(super) key: Option<At<String>>,
    pub(super) hold: Option<At<String>>,
    pub(super) busy: Option<BusyEntry>,
    pub(super) store_down: Option<At<String>>,
    pub(super) message: Option<At<String>>,
}

/// The value of `lock.busy`.
#[derive(Debug)]
pub(super) enum BusyEntry {
    /// `busy: reject`
    Word(At<String>),
    /// `busy: { retries: 3, delay: 100ms }`
    Wait { retries: Option<At<String>>, delay: Option<At<String>> },
}

/// The value of `idempotency`.
#[derive(Debug)]
pub(super) struct IdempotencyEntry {
    pub(super) header: Option<At<String>>,
    pub(super) keep: Option<At<String>>,
    pub(super) required: bool,
}

/// An entry of `limits`.
#[derive(Debug)]
pub(super) struct LimitEntry {
    pub(super) name: Option<At<String>>,
    pub(super) path: Option<At<String>>,
    pub(super) methods: Option<At<Vec<At<String>>>>,
    pub(super) by: Option<ByEntry>,
    pub(super) rate: Option<At<String>>,
    pub(super) burst: Option<At<String>>,
    pub(super) window: Option<At<String>>,
    pub(super) count: Option<At<String>>,
    pub(super) store_down: Option<At<String>>,
}

/// The value of `by`.
#[derive(Debug)]
pub(super) enum ByEntry {
    /// `by: ip`
    Word(At<String>),
    /// `by: { claim: app_metadata.tenant_id }`
    Claim(At<String>),
    /// `by: { header: x-device }`
    Header(At<String>),
}

pub(super) fn lock(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<LockEntry> {
    let mut fields = Fields::open(node, path, findings)?;
    if !fields.has("key") {
        let hint = "add `key: \"payment:{lease_id}\"`: one write at a time for each value";
        findings.mistake_with_hint(&fields.spot, "`key` is missing", hint);
    }
    let entry = LockEntry {
        key: fields.text("key", findings),
        hold: fields.text("hold", findings),
        busy: fields.node("busy").and_then(|(node, path)| busy(node, &path, findings)),
        store_down: fields.text("store_down", findings),
        message: fields.text("message", findings),
    };
    fields.close(findings);
    Some(entry)
}

fn busy(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<BusyEntry> {
    if let Value::Scalar { .. } = node.value {
        return text(node, path, findings).map(BusyEntry::Word);
    }
    let mut fields = Fields::open(node, path, findings)?;
    if !fields.has("retries") || !fields.has("delay") {
        let hint = "write `busy: { retries: 3, delay: 100ms }`, or `busy: reject`";
        findings.mistake_with_hint(&fields.spot, "waiting needs `retries` and `delay`", hint);
    }
    let entry =
        BusyEntry::Wait { retries: fields.text("retries", findings), delay: fields.text("delay", findings) };
    fields.close(findings);
    Some(entry)
}

pub(super) fn idempotency(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<IdempotencyEntry> {
    let mut fields = Fields::open(node, path, findings)?;
    let entry = IdempotencyEntry {
        header: fields.text("header", findings),
        keep: fields.text("keep", findings),
        required: fields.flag("required", findings),
    };
    fields.close(findings);
    Some(entry)
}

pub(super) fn limit(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<LimitEntry> {
    let mut fields = Fields::open(node, path, findings)?;
    for (field, hint) in [
        ("name", "add `name: per-caller`: clients and metrics tell limits apart by it"),
        ("match", "add `match: /rest/v1/**`"),
        ("by", "add `by: caller`, or ip, apikey, role, { claim: … }, { header: … }"),
        ("rate", "add `rate: 100/1m`"),
    ] {
        if !fields.has(field) {
            findings.mistake_with_hint(&fields.spot, format!("`{field}` is missing"), hint);
        }
    }
    let entry = LimitEntry {
        name: fields.text("name", findings),
        path: fields.text("match", findings),
        methods: fields.node("methods").and_then(|(node, path)| {
            let value = texts(node, &path, findings)?;
            Some(At { value, spot: Spot { path, place: node.place } })
        }),
        by: fields.node("by").and_then(|(node, path)| by(node, &path, findings)),
        rate: fields.text("rate", findings),
        burst: fields.text("burst", findings),
        window: fields.text("window", findings),
        count: fields.text("count", findings),
        store_down: fields.text("store_down", findings),
    };
    fields.close(findings);
    Some(entry)
}

fn by(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<ByEntry> {
    if let Value::Scalar { .. } = node.value {
        return text(node, path, findings).map(ByEntry::Word);
    }
    let mut fields = Fields::open(node, path, findings)?;
    let (claim, header) = (fields.text("claim", findings), fields.text("header", findings));
    let entry = match (claim, header) {
        (Some(claim), None) => Some(ByEntry::Claim(claim)),
        (None, Some(header)) => Some(ByEntry::Header(header)),
        (None, None) | (Some(_), Some(_)) => {
            findings.mistake(&fields.spot, "one of `{ claim: … }` and `{ header: … }`");
            None
        }
    };
    fields.close(findings);
    entry
}
