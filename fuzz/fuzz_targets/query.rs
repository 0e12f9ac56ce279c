//! Does any query string panic, or have a canonical form that changes when it is put in order again?
#![no_main]

use larder::postgrest::{Path, Query, Reads, Resource};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &str| {
    let (path, raw) = raw.split_once('?').unwrap_or(("/rest/v1/t", raw));
    let resource = Resource::of(&Path::parse(path));
    let query = Query::parse(Some(raw));
    let canonical = query.canonical();
    assert_eq!(Query::parse(Some(&canonical)).canonical(), canonical);
    let _anything = (query.pinned("id"), query.eq_value("id"), query.has_moving_time());
    let _reads = Reads::of(&resource, &query);
});
