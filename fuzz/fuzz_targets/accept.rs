//! Does any `Accept` panic, or have a canonical form that is negotiated differently?
#![no_main]

use larder::postgrest::Accept;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| {
    let accept = Accept::parse(Some(line));
    let canonical = accept.canonical().expect("there is a line");
    assert_eq!(Accept::parse(Some(&canonical)).canonical().as_ref(), Some(&canonical));
    // what stands behind a quality is cut off, and may have looked like a plan
    assert!(accept.is_plan() || !Accept::parse(Some(&canonical)).is_plan());
});
